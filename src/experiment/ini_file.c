/* ini_file: inih behind a reader that counts lines and refuses what inih would silently bend: a line over its limit is
 * split, an indented one continues the value above whatever that is, a long section name is cut. */
#include "experiment/ini_file.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "experiment/settings.h"
#include "model/method_spec.h"

#define LONGEST_LINE 190 /* inih's buffer holds 200 */
#define LONGEST_NAME 48  /* inih cuts names of sections and keys at 50 */

typedef struct reader {
    pb_ini *ini;
    FILE *file;
    int line;
    bool continues; /* the line continues the value of the last entry */
    bool failed;
} reader;

/* ---- entries ------------------------------------------------------------------------------------------ */

/* A copy without blanks at the ends and with single ones inside. */
static char *tidy(const char *text, size_t n)
{
    char *out = pb_alloc(n + 1);
    size_t length = 0;
    for (size_t i = 0; i < n; i++) {
        bool blank = text[i] == ' ' || text[i] == '\t';
        if (!blank)
            out[length++] = text[i];
        else if (length && out[length - 1] != ' ')
            out[length++] = ' ';
    }
    if (length && out[length - 1] == ' ')
        length--;
    out[length] = 0;
    return out;
}

/* The name of a section.  It may contain a method spec, whose separators may be surrounded by blanks. */
static char *tidy_section(const char *text, size_t n)
{
    char *single = tidy(text, n), *section = pb_method_spec_normalize(single);
    free(single);
    return section;
}

/* The key of an entry in the index. */
static pb_text full_name(const char *section, const char *key)
{
    pb_text name = {0};
    pb_text_bytes(&name, section, strlen(section) + 1);
    pb_text_bytes(&name, key, strlen(key));
    return name;
}

static pb_entry *add_entry(pb_ini *ini, char *section, const char *key, const char *value, char *location)
{
    pb_grow(&ini->entry, ini->entries, &ini->capacity, sizeof *ini->entry);
    pb_entry *e = &ini->entry[ini->entries++];
    *e = (pb_entry){.section = section, .location = location};
    e->key = key ? pb_strdup(key) : NULL;
    e->value = value ? pb_strdup(value) : NULL;
    if (!key)
        return e;
    pb_text name = full_name(section, key);
    pb_index_put(&ini->name, name.data, name.length, (int)ini->entries - 1);
    pb_text_free(&name);
    return e;
}

static pb_entry *find_entry(pb_ini *ini, const char *section, const char *key)
{
    pb_text name = full_name(section, key);
    int i = pb_index_find(&ini->name, name.data, name.length);
    pb_text_free(&name);
    return i < 0 ? NULL : &ini->entry[i];
}

pb_entry *pb_ini_find(pb_ini *ini, const char *section, const char *key)
{
    pb_entry *e = find_entry(ini, section, key);
    if (e)
        e->used = true;
    return e;
}

const char *pb_ini_location(const pb_entry *e, size_t at)
{
    const char *location = e->location;
    for (size_t i = 0; i < e->continuations && e->continued[i].at <= at; i++)
        location = e->continued[i].location;
    return location;
}

int pb_ini_blame(const pb_entry *e)
{
    return pb_error_prefix("%s", e->location);
}

int pb_ini_apply(const pb_option *options, void *conf, const pb_entry *e)
{
    return pb_option_set(options, conf, e->key, e->value) ? pb_ini_blame(e) : 0;
}

int pb_ini_fill(pb_ini *ini, const char *section, const pb_option *options, void *conf)
{
    for (size_t i = 0; i < ini->entries; i++) {
        pb_entry *e = &ini->entry[i];
        if (strcmp(e->section, section) != 0)
            continue;
        e->used = true;
        if (e->key && pb_ini_apply(options, conf, e))
            return -1;
    }
    return 0;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

static int refuse(reader *r, const char *why)
{
    r->failed = true;
    return pb_error("%s:%d: %s", r->ini->path, r->line, why);
}

static int open_section(reader *r, const char *text)
{
    const char *end = strchr(text, ']');
    if (!end)
        return refuse(r, "want a ']' after the name of the section");
    if (end - text - 1 > LONGEST_NAME)
        return refuse(r, "the name of the section has more than 48 bytes; want a shorter one");
    add_entry(r->ini, tidy_section(text + 1, (size_t)(end - text - 1)), NULL, NULL,
              pb_format("%s:%d", r->ini->path, r->line));
    return 0;
}

/* Returns whether the last line with an entry left a list open. */
static bool is_open_list(const pb_ini *ini)
{
    const pb_entry *last = ini->entries ? &ini->entry[ini->entries - 1] : NULL;
    size_t n = last && last->key ? strlen(last->value) : 0;
    return n && last->value[n - 1] == ',';
}

static int check_line(reader *r, const char *line, size_t length)
{
    size_t blanks = strspn(line, " \t"), key = strcspn(line + blanks, "=:");
    const char *text = line + blanks;
    r->continues = false;
    if (r->line == 1 && !strcmp(line, "SQLite format 3"))
        return refuse(r, "a database of results; want the file of an experiment, NAME.ini (--db names a database)");
    if (!*text || strchr(";#\r\n", *text))
        return 0;
    if (strlen(line) != length)
        return refuse(r, "the line contains a NUL byte; want a text file");
    if (length > LONGEST_LINE)
        return refuse(r, "the line has more than 190 bytes; want a shorter one; a list may be continued in an indented "
                         "line after a comma");
    if (blanks && !is_open_list(r->ini))
        return refuse(r, "the line is indented; want it to begin in the first column, or to continue a list whose line "
                         "ends with a comma");
    r->continues = blanks;
    if (blanks)
        return 0;
    if (*text == '[')
        return open_section(r, text);
    if (!text[key])
        return refuse(r, "want 'key = value' or '[section]'");
    return key > LONGEST_NAME ? refuse(r, "the key has more than 48 bytes; want a shorter one") : 0;
}

/* Gives inih its next line. */
static char *next_line(char *out, int room, void *stream)
{
    reader *r = stream;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n = r->failed ? -1 : getline(&line, &capacity, r->file);
    r->line++;
    bool good = n >= 0 && !check_line(r, line, (size_t)n);
    if (good)
        snprintf(out, (size_t)room, "%s", n > LONGEST_LINE ? ";\n" : line); /* a comment that is too long */
    free(line);
    return good ? out : NULL;
}

static void continue_value(pb_entry *e, const char *more, char *location)
{
    pb_grow(&e->continued, e->continuations, &e->continued_capacity, sizeof *e->continued);
    e->continued[e->continuations++] = (pb_continued){strlen(e->value) + 1, location};
    char *value = pb_format("%s %s", e->value, more);
    free(e->value);
    e->value = value;
}

/* inih calls this with the text of an indented line, too, under the key above. */
static int handle_entry(void *ctx, const char *section, const char *key, const char *value)
{
    reader *r = ctx;
    if (r->continues) {
        continue_value(&r->ini->entry[r->ini->entries - 1], value, pb_format("%s:%d", r->ini->path, r->line));
        return 1;
    }
    char *name = tidy_section(section, strlen(section));
    const pb_entry *before = find_entry(r->ini, name, key);
    if (!*name || before) {
        if (before)
            pb_error("%s:%d: %s is given twice; the first is at %s", r->ini->path, r->line, key, before->location);
        else
            pb_error("%s:%d: %s: want it in a section, such as [train]", r->ini->path, r->line, key);
        r->failed = true;
        free(name);
        return 0;
    }
    add_entry(r->ini, name, key, value, pb_format("%s:%d", r->ini->path, r->line));
    return 1;
}

pb_ini *pb_ini_new(const char *path)
{
    pb_ini *ini = pb_alloc(sizeof *ini);
    ini->path = pb_strdup(path);
    return ini;
}

pb_ini *pb_ini_read(const char *path)
{
    char *found = pb_find_installed(path);
    FILE *file = pb_open_stream(found);
    pb_ini *ini = file ? pb_ini_new(found) : NULL;
    free(found);
    if (!file)
        return NULL;
    reader r = {.ini = ini, .file = file};
    int line = ini_parse_stream(next_line, &r, handle_entry, &r);
    if (line && !r.failed)
        refuse(&r, "want 'key = value' or '[section]'");
    if (ferror(file) && !r.failed)
        refuse(&r, "cannot read");
    fclose(file);
    if (!r.failed)
        return ini;
    pb_ini_free(ini);
    return NULL;
}

static void forget_continued(pb_entry *e)
{
    for (size_t i = 0; i < e->continuations; i++)
        free(e->continued[i].location);
    free(e->continued);
    e->continued = NULL;
    e->continuations = e->continued_capacity = 0;
}

void pb_ini_free(pb_ini *ini)
{
    if (!ini)
        return;
    for (size_t i = 0; i < ini->entries; i++) {
        forget_continued(&ini->entry[i]);
        free(ini->entry[i].section);
        free(ini->entry[i].key);
        free(ini->entry[i].value);
        free(ini->entry[i].location);
    }
    free(ini->entry);
    pb_index_free(&ini->name);
    free(ini->path);
    free(ini);
}

/* ---- overrides ---------------------------------------------------------------------------------------- */

bool pb_ini_is_override(const pb_entry *e)
{
    return !strncmp(e->location, "--set", 5);
}

void pb_ini_put(pb_ini *ini, const char *section, const char *key, const char *value, const char *location)
{
    pb_entry *e = find_entry(ini, section, key);
    if (!e) {
        add_entry(ini, pb_strdup(section), key, value, pb_strdup(location));
        return;
    }
    forget_continued(e);
    free(e->location);
    free(e->value);
    e->location = pb_strdup(location);
    e->value = pb_strdup(value);
}

bool pb_ini_has(const pb_ini *ini, const char *section)
{
    for (size_t i = 0; i < ini->entries; i++)
        if (!strcmp(ini->entry[i].section, section))
            return true;
    return false;
}

int pb_ini_set(pb_ini *ini, const char *assignment)
{
    const char *equals = pb_settings_equals(assignment);
    if (!equals || equals == assignment)
        return pb_error("--set %s: want section.key=value or key=value", assignment);
    if (strpbrk(equals, "\n\r")) /* a list of settings has one on each line */
        return pb_error("--set %s: want a value of one line", assignment);
    char *written = tidy_section(assignment, (size_t)(equals - assignment)),
         *value = tidy(equals + 1, strlen(equals + 1));
    char *section, *key, *location = pb_format("--set %s", assignment);
    pb_settings_split(written, &section, &key);
    pb_ini_put(ini, section, key, value, location);
    free(written);
    free(value);
    free(section);
    free(key);
    free(location);
    return 0;
}
