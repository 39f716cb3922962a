/* jinja_internal: what the files of the room share.  Not for other rooms. */
#ifndef PB_JINJA_INTERNAL_H
#define PB_JINJA_INTERNAL_H

#include "base/arena.h"
#include "jinja/jinja.h"

enum {
    PB_JINJA_NESTING = 100,       /* levels of a template                              */
    PB_JINJA_DEPTH = 1000,        /* levels of evaluation, with the macros that call   */
    PB_JINJA_STEPS = 10000000,    /* evaluated nodes and handled items of one text     */
    PB_JINJA_OUTPUT = 1 << 24,    /* bytes of one text                                 */
    PB_JINJA_MEMORY = 1 << 28,    /* bytes of its values                               */
    PB_JINJA_TEMPLATE = 1 << 20,  /* bytes of a template                               */
    PB_JINJA_MOST_ARGUMENTS = 16, /* of a call                                         */
};

/* ---- values (value.c) --------------------------------------------------------------------------------------- */

typedef enum pb_jinja_kind {
    PB_J_UNDEFINED,
    PB_J_NONE,
    PB_J_BOOL,
    PB_J_INT,
    PB_J_REAL,
    PB_J_TEXT,
    PB_J_LIST,
    PB_J_TUPLE,
    PB_J_MAP,
    PB_J_NAMESPACE,
    PB_J_LOOP, /* the variable `loop` */
    PB_J_MACRO,
    PB_J_FUNCTION,
    PB_J_METHOD
} pb_jinja_kind;

typedef struct pb_jinja_value pb_jinja_value;
typedef struct pb_jinja_map pb_jinja_map;
typedef struct pb_jinja_node pb_jinja_node;

/* Bytes that the source, the variables or an arena owns. */
typedef struct pb_jinja_text {
    const char *at;
    size_t size;
} pb_jinja_text;

struct pb_jinja_value {
    pb_jinja_kind kind;
    union {
        bool flag;
        long long integer;
        double real;
        pb_jinja_text text; /* of a text; of what is undefined and of a function, its name */
        struct {
            const pb_jinja_value *item; /* [count] */
            size_t count;
        } list;
        pb_jinja_map *map;
        const pb_jinja_node *macro;
        struct {
            const pb_jinja_value *self;
            const char *name;
        } method;
    };
};

typedef struct pb_jinja_member {
    pb_jinja_text key;
    pb_jinja_value value;
} pb_jinja_member;

/* The members of a mapping in their order. */
struct pb_jinja_map {
    pb_jinja_member *member; /* [count] */
    size_t count, capacity;
};

/* The state of one evaluation. */
typedef struct pb_jinja_run {
    const char *name; /* of the template     */
    int line;         /* that is evaluated   */
    const char *date; /* of strftime_now     */
    pb_arena *arena;  /* of the values       */
    int depth;
    long steps;
} pb_jinja_run;

/* Reports an error at the present line.  Returns -1. */
int pb_jinja_fail(const pb_jinja_run *r, const char *fmt, ...) PB_PRINTF(2, 3);

/* Counts n steps.  Returns -1 with an error if there are too many, or if the values take too much memory. */
int pb_jinja_step(pb_jinja_run *r, size_t n);

/* Make values.  pb_jinja_copy copies the bytes of the text into the run's arena. */
pb_jinja_value pb_jinja_bool(bool flag);
pb_jinja_value pb_jinja_int(long long integer);
pb_jinja_value pb_jinja_of(const char *at, size_t size);
pb_jinja_value pb_jinja_copy(pb_jinja_run *r, const char *at, size_t size);
pb_jinja_value pb_jinja_undefined(const char *name, size_t size);
pb_jinja_value pb_jinja_list(const pb_jinja_value *item, size_t count);

/* Returns room for n values in the run's arena. */
pb_jinja_value *pb_jinja_values(pb_jinja_run *r, size_t n);

/* Converts JSON.  The texts stay those of the document. */
pb_jinja_value pb_jinja_from_json(pb_jinja_run *r, const pb_json *v);

/* Return whether a text is this one, the value of a key of a mapping, or NULL, and set the value of a key. */
bool pb_jinja_is(pb_jinja_text t, const char *word);
const pb_jinja_value *pb_jinja_get(const pb_jinja_map *m, pb_jinja_text key);
void pb_jinja_put(pb_jinja_run *r, pb_jinja_map *m, pb_jinja_text key, pb_jinja_value value);
pb_jinja_value pb_jinja_new_map(pb_jinja_run *r, pb_jinja_kind kind);

/* Returns the name of a value's kind, for messages: "a list". */
const char *pb_jinja_what(const pb_jinja_value *v);

bool pb_jinja_is_list(const pb_jinja_value *v);   /* a list or tuple */
bool pb_jinja_is_number(const pb_jinja_value *v); /* as in Python, true and false are numbers */
double pb_jinja_number(const pb_jinja_value *v);  /* of a number */

/* Return Python's truth value and equality.  Comparing counts steps; when there are too many, the result is false and
 * the next pb_jinja_step fails. */
bool pb_jinja_truth(const pb_jinja_value *v);
bool pb_jinja_equal(pb_jinja_run *r, const pb_jinja_value *a, const pb_jinja_value *b);

/* Appends Python's str() of a value.  Returns -1 with an error for lists, mappings and functions. */
int pb_jinja_print(pb_jinja_run *r, const pb_jinja_value *v, pb_text *out);

/* Sets *out to the items that a for loop over v gives.  Returns -1 with an error if there are none. */
int pb_jinja_items(pb_jinja_run *r, const pb_jinja_value *v, pb_jinja_value *out);

/* Appends a value as Python's json.dumps writes it, with `indent` blanks for each level; < 0: on one line.  Returns -1
 * with an error for what JSON does not have. */
typedef struct pb_jinja_json {
    int indent;
    bool ascii, sorted;
} pb_jinja_json;
int pb_jinja_tojson(pb_jinja_run *r, const pb_jinja_value *v, const pb_jinja_json *how, int level, pb_text *out);

/* ---- characters (characters.c) ------------------------------------------------------------------------------ */

/* Return whether Python's str.isspace holds for a character, the number of characters of a text, and the byte at which
 * character n begins (its size if there is none). */
bool pb_jinja_is_space(int32_t c);
size_t pb_jinja_length(pb_jinja_text t);
size_t pb_jinja_byte(pb_jinja_text t, size_t n);

/* Returns the text without the characters of `set` (NULL: white space) at its left and right side, as asked for. */
pb_jinja_text pb_jinja_strip(pb_jinja_text t, const pb_jinja_text *set, bool left, bool right);

/* Returns where `part` first occurs in t from byte `from` on, or t.size + 1. */
size_t pb_jinja_find(pb_jinja_text t, pb_jinja_text part, size_t from);

/* ---- texts (texts.c) ---------------------------------------------------------------------------------------- */

/* The arguments of a call, of a filter or of a test. */
typedef struct pb_jinja_arguments {
    pb_jinja_value value[PB_JINJA_MOST_ARGUMENTS];
    const char *keyword[PB_JINJA_MOST_ARGUMENTS]; /* NULL: given by position */
    int count;
} pb_jinja_arguments;

/* Assigns arguments to parameters: `names` are separated by blanks, and value[i] becomes that of name i, or NULL if it
 * is not given.  Returns -1 with an error if there are too many, or one of another name, or less than `least`. */
int pb_jinja_bind(pb_jinja_run *r, const char *what, const char *names, int least, const pb_jinja_arguments *a,
                  const pb_jinja_value *value[PB_JINJA_MOST_ARGUMENTS]);

/* Returns whether texts or mappings have this method, which may be one that is not supported. */
const char *pb_jinja_method_name(const pb_jinja_value *self, pb_jinja_text name);

/* Calls a method of a text or of a mapping.  Returns -1 with an error. */
int pb_jinja_method(pb_jinja_run *r, const pb_jinja_value *self, const char *name, const pb_jinja_arguments *a,
                    pb_jinja_value *out);

/* Changes the letters of a text as the method or filter of this name does.  Returns -1 with an error if it is not
 * ASCII. */
int pb_jinja_change_case(pb_jinja_run *r, const char *name, pb_jinja_text t, pb_jinja_value *out);

/* Replaces at most `most` occurrences, all if it is negative. */
int pb_jinja_replace(pb_jinja_run *r, pb_jinja_text t, pb_jinja_text from, pb_jinja_text to, long long most,
                     pb_jinja_value *out);

/* ---- operators (operators.c) -------------------------------------------------------------------------------- */

/* Computes a op b.  Returns -1 with an error. */
int pb_jinja_operate(pb_jinja_run *r, const char *op, const pb_jinja_value *a, const pb_jinja_value *b,
                     pb_jinja_value *out);
/* Sets *out to whether a op b holds, for == != < <= > >= in.  Returns -1 with an error. */
int pb_jinja_compare(pb_jinja_run *r, const char *op, const pb_jinja_value *a, const pb_jinja_value *b, bool *out);

/* Sets *out to v.NAME (`attribute`) or v[key].  Returns -1 with an error. */
int pb_jinja_attribute(pb_jinja_run *r, const pb_jinja_value *v, pb_jinja_text name, pb_jinja_value *out);
int pb_jinja_item(pb_jinja_run *r, const pb_jinja_value *v, const pb_jinja_value *key, pb_jinja_value *out);

/* Sets *out to v[from:to:step]; NULL: not given.  Returns -1 with an error. */
int pb_jinja_slice(pb_jinja_run *r, const pb_jinja_value *v, const pb_jinja_value *const bound[3], pb_jinja_value *out);

/* ---- filters, tests and functions (builtins.c) -------------------------------------------------------------- */

/* Return whether there is a filter, a test or a function of this name. */
bool pb_jinja_has_filter(pb_jinja_text name);
bool pb_jinja_has_test(pb_jinja_text name);
const char *pb_jinja_function_name(pb_jinja_text name);

/* Apply a filter or a test to a value, and call a function.  Return -1 with an error. */
int pb_jinja_filter(pb_jinja_run *r, pb_jinja_text name, const pb_jinja_value *v, const pb_jinja_arguments *a,
                    pb_jinja_value *out);
int pb_jinja_test(pb_jinja_run *r, pb_jinja_text name, const pb_jinja_value *v, const pb_jinja_arguments *a, bool *out);
int pb_jinja_call(pb_jinja_run *r, const char *name, const pb_jinja_arguments *a, pb_jinja_value *out);

/* ---- the tree ----------------------------------------------------------------------------------------------- */

typedef enum pb_jinja_token_kind {
    PB_J_DATA, /* the text between tags */
    PB_J_BEGIN_PRINT,
    PB_J_END_PRINT,
    PB_J_BEGIN_BLOCK,
    PB_J_END_BLOCK,
    PB_J_NAME,
    PB_J_STRING,
    PB_J_INTEGER,
    PB_J_FLOAT,
    PB_J_OPERATOR,
    PB_J_EOF
} pb_jinja_token_kind;

typedef struct pb_jinja_token {
    pb_jinja_token_kind kind;
    int line;
    pb_jinja_text text; /* of a string literal: what it means */
    long long integer;
    double real;
} pb_jinja_token;

/* Splits a template into tokens, in the run's arena.  Returns NULL with an error. */
pb_jinja_token *pb_jinja_lex(pb_jinja_run *r, const char *text, size_t size);

typedef enum pb_jinja_node_kind {
    /* expressions */
    PB_J_CONSTANT,
    PB_J_VARIABLE,
    PB_J_MAKE_LIST,
    PB_J_MAKE_TUPLE,
    PB_J_MAKE_MAP, /* list: keys and values in turn */
    PB_J_ATTRIBUTE,
    PB_J_ITEM,
    PB_J_SLICE, /* a[b:c:d] */
    PB_J_CALL,
    PB_J_FILTER,
    PB_J_TEST,
    PB_J_NEGATE,
    PB_J_PLUS,
    PB_J_OPERATE, /* a NAME b */
    PB_J_CONCAT,  /* a ~ b */
    PB_J_COMPARE, /* a, and the list of operands, each with its operator as its keyword */
    PB_J_AND,
    PB_J_OR,
    PB_J_NOT,
    PB_J_CHOOSE, /* a if b else c */
    /* statements */
    PB_J_WRITE, /* constant */
    PB_J_OUTPUT,
    PB_J_IF,         /* a; body; other */
    PB_J_FOR,        /* for b in a if c; body; other */
    PB_J_SET,        /* b = a */
    PB_J_SET_BLOCK,  /* b = body */
    PB_J_MACRO_NODE, /* NAME; list: parameters; body */
    PB_J_GENERATION,
    PB_J_BREAK,
    PB_J_CONTINUE
} pb_jinja_node_kind;

struct pb_jinja_node {
    pb_jinja_node_kind kind;
    int line;
    pb_jinja_text name;      /* of a variable, attribute, filter, test, macro or parameter; an operator */
    const char *keyword;     /* of an argument or operand */
    pb_jinja_value constant; /* its value */
    pb_jinja_node *a, *b, *c, *d;
    pb_jinja_node *list;         /* items, arguments or parameters, linked by `next` */
    pb_jinja_node *body, *other; /* statements, linked by `next` */
    pb_jinja_node *next;
};

/* Parses the expression that begins at *at, moves *at behind it, and returns its node; NULL with an error.
 * `tuple`: without parentheses, commas make a tuple.  `choose`: it may be `a if b else c`. */
typedef struct pb_jinja_parser {
    pb_jinja_run *run;
    const pb_jinja_token *at;
    int nesting, loops, macros;
    bool marks;
} pb_jinja_parser;
pb_jinja_node *pb_jinja_expression(pb_jinja_parser *p, bool tuple, bool choose);

/* Parses the target of an assignment or of a loop; NULL with an error. */
pb_jinja_node *pb_jinja_target(pb_jinja_parser *p, bool members);

/* Returns a new node at the parser's place. */
pb_jinja_node *pb_jinja_node_new(pb_jinja_parser *p, pb_jinja_node_kind kind);

/* Returns whether the next token is this operator or this name; `skip` moves behind it if so. */
bool pb_jinja_sees(const pb_jinja_parser *p, pb_jinja_token_kind kind, const char *word);
bool pb_jinja_skip(pb_jinja_parser *p, pb_jinja_token_kind kind, const char *word);

/* Reports that something else was expected than the next token.  Returns NULL. */
pb_jinja_node *pb_jinja_want(pb_jinja_parser *p, const char *what);

/* Moves behind an operator; returns -1 with an error if the next token is not it. */
int pb_jinja_expect(pb_jinja_parser *p, const char *op);

/* Parses statements (statements.c).  Sets *out to the first one, which is NULL if there are none.  Returns -1 with an
 * error. */
int pb_jinja_statements(pb_jinja_parser *p, pb_jinja_node **out);

/* A parsed template. */
struct pb_jinja {
    char *name;
    pb_arena *arena; /* of the tree */
    pb_jinja_node *body;
    bool marks;
};

#endif
