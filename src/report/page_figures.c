/* page_figures: the figures of a page, as SVG inside it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/html.h"
#include "report/page_internal.h"
#include "report/plot.h"

/* Adds what the marks of a figure are: for each a circle that is not seen, with a title, which browsers show beside the
 * pointer.  The figure has 4/3 pixels a point. */
static int add_tips(pb_text *t, const char *path)
{
    char *tips = pb_read_file(path, NULL);
    pb_text_add(t, "<g fill=\"#fff\" fill-opacity=\"0\" transform=\"scale(1.33333)\">\n");
    for (char *at = tips, *line; at && (line = strsep(&at, "\n")) && *line;) {
        char *end;
        double x = strtod(line, &end), y = strtod(end, &end);
        pb_text_add(t, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"5\"><title>", x, y);
        pb_html_text(t, end + 1);
        pb_text_add(t, "</title></circle>\n");
    }
    pb_text_add(t, "</g>\n");
    free(tips);
    return tips ? 0 : -1;
}

/* Returns what follows a title or description of gnuplot's at `at`, which a browser would show beside the pointer in
 * place of a mark's; else `at`. */
static const char *skip_title(const char *at)
{
    static const char *const tag[] = {"title", "desc"};
    for (size_t k = 0; k < PB_COUNT(tag); k++) {
        size_t n = strlen(tag[k]);
        if (at[0] != '<' || strncmp(at + 1, tag[k], n) != 0 || at[1 + n] != '>')
            continue;
        char *close = pb_format("</%s>", tag[k]);
        const char *end = strstr(at, close);
        at = end ? end + strlen(close) : at;
        free(close);
    }
    return at;
}

/* Adds an SVG without its XML declaration, its titles and its end.  The identifiers of each figure get a prefix, since
 * a page has one space of them. */
static void add_svg(pb_text *t, const char *svg, int number)
{
    static const char *const uses[] = {"id=\"", "id='", "href=\"#", "href='#", "url(#"};
    const char *at = strstr(svg, "<svg");
    const char *end = at ? strstr(at, "</svg>") : NULL;
    while (at && *at && at != end) {
        const char *next = skip_title(at);
        size_t used = 0;
        for (size_t k = 0; k < PB_COUNT(uses) && !used; k++)
            if (!strncmp(at, uses[k], strlen(uses[k])))
                used = strlen(uses[k]);
        if (used)
            pb_text_add(t, "%.*sf%d-", (int)used, at, number);
        else if (next == at)
            pb_text_add(t, "%c", *at);
        at = used ? at + used : next == at ? at + 1 : next;
    }
}

/* Adds a figure with its caption, given its path without an ending. */
static int add_figure(pb_text *t, const char *path, int number)
{
    char *drawing = pb_format("%s.svg", path), *text = pb_format("%s.txt", path), *tips = pb_format("%s.tips", path);
    int rc = -1;
    char *svg = pb_read_file(drawing, NULL), *caption = svg ? pb_read_file(text, NULL) : NULL;
    if (caption) {
        pb_text_add(t, "<figure>\n<div class=\"drawing\" tabindex=\"0\">\n");
        add_svg(t, svg, number);
        rc = add_tips(t, tips);
        pb_text_add(t, "</svg>\n</div>\n");
        pb_html_element(t, "figcaption", pb_trim(caption, "\n"));
        pb_text_add(t, "</figure>\n");
    }
    free(drawing);
    free(text);
    free(tips);
    free(svg);
    free(caption);
    return rc;
}

/* Adds those figures that are in a folder. */
static int take_figures(pb_text *t, const char *folder)
{
    int rc = 0;
    for (int i = 0; pb_plot_name(i) && !rc; i++) {
        char *path = pb_format("%s/%s", folder, pb_plot_name(i)), *drawing = pb_format("%s.svg", path);
        rc = access(drawing, F_OK) ? 0 : add_figure(t, path, i);
        free(path);
        free(drawing);
    }
    return rc;
}

/* The figures are drawn in a folder of their own, so that none of an older state is among them. */
int pb_page_figures(pb_text *t, const pb_report *r)
{
    const char *temporary = getenv("TMPDIR");
    char *folder = pb_format("%s/peftbench-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    int rc = mkdtemp(folder) ? 0 : pb_error("%s: cannot be made: %s", folder, strerror(errno));
    pb_html_section(t, "figures", "Figures");
    if (!rc) {
        pb_look look;
        rc = pb_look_read(&look, NULL, "svg", NULL, NULL);
        look.tips = true;
        rc = rc || pb_plot(r, &look, folder) < 0 ? -1 : 0;
        pb_text_add(t, "<div class=\"figures\">\n");
        rc = rc || take_figures(t, folder) ? -1 : 0;
        pb_text_add(t, "</div>\n");
        pb_remove_tree(folder);
    }
    free(folder);
    return rc;
}
