/* page_assets: see page_assets.h. */
#include "report/page_assets.h"

#define LIGHT                                                                                                          \
    "color-scheme:light;--ink:#1b1f24;--soft:#5b6570;--line:#d5dae0;--page:#fff;--head:#f3f5f7;--mark:#fff4cc;"        \
    "--link:#0b5cad;--bad:#a33a1f"
#define DARK                                                                                                           \
    "color-scheme:dark;--ink:#e6e9ec;--soft:#a3adb8;--line:#3a424b;--page:#14181c;--head:#1e242a;--mark:#40391c;"      \
    "--link:#7db7f0;--bad:#f08a6c"

/* The ink of a figure is inverted on a dark screen, and its white ground becomes that of the page. */
const char pb_page_style[] =
    ":root{" LIGHT "}\n"
    "@media screen and (prefers-color-scheme:dark){:root{" DARK "}\n"
    "figure svg{filter:invert(1) hue-rotate(180deg);mix-blend-mode:screen}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:92rem;padding:1rem 1.25rem 3rem;color:var(--ink);background:var(--page);"
    "font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.25rem;margin:2.2rem 0 .6rem}\n"
    "h3{font-size:1rem;margin:.8rem 0 0}p,ul{margin:.5rem 0;max-width:60rem}ul{padding-left:1.3rem}\n"
    "code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere}a{color:var(--link)}\n"
    ".soft{color:var(--soft)}.bad{color:var(--bad)}\n"
    "nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem}\n"
    /* tables that are wide or long scroll by themselves, below their head */
    ".wide{overflow:auto;max-height:85vh;border:1px solid var(--line);border-radius:6px}\n"
    "table{border-collapse:separate;border-spacing:0;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid var(--line)}td{white-space:nowrap}\n"
    "tbody tr:last-child td{border-bottom:0}\n"
    "th{background:var(--head);position:sticky;top:0;z-index:1;vertical-align:bottom}\n"
    "th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--page)}\n"
    "th:first-child{background:var(--head);z-index:2}tr.best td{background:var(--mark)}\n"
    "table.texts td,table.texts th{text-align:left;white-space:normal;vertical-align:top;position:static}\n"
    "table.texts td:first-child{width:1%;min-width:9rem}\n"
    "th button{font:inherit;font-weight:600;color:inherit;background:none;border:0;padding:0;cursor:pointer;"
    "text-align:inherit}\n"
    "th[aria-sort=ascending] button::after{content:' \\25B2'}th[aria-sort=descending] button::after{content:' "
    "\\25BC'}\n"
    "button:focus-visible,input:focus-visible,summary:focus-visible,div:focus-visible{outline:2px solid "
    "var(--link);outline-offset:2px}\n"
    "small{display:block;color:var(--soft);font-size:.8em}\n"
    "input{font:inherit;padding:.35rem .6rem;border:1px solid var(--soft);border-radius:6px;color:inherit;"
    "background:var(--page);width:min(24rem,100%)}output{color:var(--soft)}\n"
    /* figures: in two columns where both have their natural width, which a narrow screen does not shrink */
    ".figures{columns:43rem;column-gap:1rem}\n"
    "figure{margin:0 0 1rem;border:1px solid var(--line);border-radius:6px;padding:.5rem;break-inside:avoid}\n"
    ".drawing{overflow-x:auto}svg{display:block;max-width:none;margin:0 auto}\n"
    "figcaption{color:var(--soft);font-size:.85rem;margin-top:.3rem}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:.4rem;"
    "align-items:start}.cards details[open]{grid-column:1/-1}\n"
    "details{border:1px solid var(--line);border-radius:6px;padding:.4rem .8rem}summary{cursor:pointer}\n"
    "details .wide{border:0;max-height:none}\n"
    "@media print{body{max-width:none;padding:0;font-size:9pt}nav,.tools{display:none}\n"
    ".wide{overflow:visible;max-height:none;border:0}th,td{white-space:normal;padding:.15rem .3rem}\n"
    "th,th:first-child,td:first-child{position:static}tr,h2,h3{break-inside:avoid}h2,h3{break-after:avoid}\n"
    "table{font-size:7pt}thead{display:table-header-group;break-inside:avoid}small{white-space:nowrap;font-size:5.5pt}"
    "\n"
    "code{font-size:7pt}.figures{columns:1}svg{max-width:100%;width:auto;height:auto;max-height:22cm}\n"
    ".drawing{overflow:visible}.cards{display:block;columns:2;font-size:7pt}.cards details{margin-bottom:.3rem}}\n";

/* A click sorts by a column, the best or the first first, and a second one turns the order round; rows without a value
 * stay last.  Print shows what is folded. */
const char pb_page_script[] =
    "'use strict';\n"
    "const table=document.getElementById('results'),body=table.tBodies[0],filter=document.getElementById('filter');\n"
    "const shown=document.getElementById('shown'),heads=[...table.tHead.rows[0].cells];\n"
    "const value=(row,column)=>{const t=row.cells[column],x=t.dataset.value;\n"
    " return x===undefined?t.textContent:x===''?null:Number(x)};\n"
    "const order=(a,b)=>typeof a==='number'?a-b:a.localeCompare(b);\n"
    "for(const head of heads)head.querySelector('button').addEventListener('click',()=>{\n"
    " const is=head.getAttribute('aria-sort'),rows=[...body.rows],column=head.cellIndex;\n"
    " const next=!is?head.dataset.first:is==='ascending'?'descending':'ascending',up=next==='ascending';\n"
    " for(const other of heads)other.removeAttribute('aria-sort');\n"
    " head.setAttribute('aria-sort',next);\n"
    " rows.sort((p,q)=>{const a=value(p,column),b=value(q,column);\n"
    "  return a===null||b===null?(a===null)-(b===null):up?order(a,b):order(b,a)});\n"
    " body.append(...rows)});\n"
    "const sift=()=>{const words=filter.value.toLowerCase().split(/\\s+/);let n=0;\n"
    " for(const row of body.rows){const text=row.cells[0].textContent.toLowerCase();\n"
    "  row.hidden=!words.every(word=>text.includes(word));n+=!row.hidden}\n"
    " shown.textContent=n===body.rows.length?n+' rows':n+' of '+body.rows.length+' rows'};\n"
    "filter.addEventListener('input',sift);sift();\n"
    "let closed=[];\n"
    "addEventListener('beforeprint',()=>{closed=[...document.querySelectorAll('details:not([open])')];\n"
    " for(const one of closed)one.open=true});\n"
    "addEventListener('afterprint',()=>{for(const one of closed)one.open=false});\n";
