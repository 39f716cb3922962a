/* html: see html.h. */
#include "report/html.h"

#include <string.h>

void pb_html_text(pb_text *out, const char *text)
{
    for (const char *at = pb_visible(text); *at; at++)
        switch (*at) {
        case '&': pb_text_add(out, "&amp;"); break;
        case '<': pb_text_add(out, "&lt;"); break;
        case '>': pb_text_add(out, "&gt;"); break;
        case '"': pb_text_add(out, "&quot;"); break;
        case '\'': pb_text_add(out, "&#39;"); break;
        default: pb_text_add(out, "%c", *at);
        }
}

void pb_html_element(pb_text *t, const char *tag, const char *text)
{
    pb_text_add(t, "<%s>", tag);
    pb_html_text(t, text);
    pb_text_add(t, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

void pb_html_section(pb_text *t, const char *id, const char *title)
{
    pb_text_add(t, "<h2 id=\"%s\">", id);
    pb_html_text(t, title);
    pb_text_add(t, "</h2>\n");
}
