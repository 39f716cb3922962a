/* html: texts as parts of an HTML page. */
#ifndef PB_HTML_H
#define PB_HTML_H

#include "base/base.h"

/* Adds a text with &, <, > and quotes escaped, and characters that are not for display made visible. */
void pb_html_text(pb_text *out, const char *text);

/* Adds <tag>text</tag> and the end of the line; the tag may have attributes. */
void pb_html_element(pb_text *out, const char *tag, const char *text);

/* Adds the heading of a section, to which links refer by `id`. */
void pb_html_section(pb_text *out, const char *id, const char *title);

#endif
