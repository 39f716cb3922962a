/* page_assets: the style sheet of the page that page.c writes, and its script, which sorts and filters the table. */
#ifndef PB_PAGE_ASSETS_H
#define PB_PAGE_ASSETS_H

extern const char pb_page_style[];  /* CSS, for light and dark screens, phones and print */
extern const char pb_page_script[]; /* JavaScript, the text between <script> and </script> */

#endif
