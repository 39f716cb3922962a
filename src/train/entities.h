/* entities: the entities that a sequence of tags marks, as conlleval and seqeval's default mode find them.
 *
 * A tag is O, outside of entities, or a letter and the type of an entity, "B-person".  B and S begin an entity, E and
 * S end one.  So that every sequence has entities, whatever a model predicts, an I or E continues the entity of the tag
 * before it only if that is a B or I of the same type, and begins one otherwise. */
#ifndef PB_ENTITIES_H
#define PB_ENTITIES_H

typedef struct pb_entity {
    const char *type; /* [size] in the sequence */
    int size;
    int first, last; /* the numbers of its first and last word */
} pb_entity;

/* Where reading has come to.  It starts as {.at = TAGS}, a sequence of tags with blanks between them. */
typedef struct pb_entity_reader {
    const char *at;
    int word;
} pb_entity_reader;

/* Sets *out to the next entity of the sequence.  Returns 0 if there is none. */
int pb_entity_next(pb_entity_reader *r, pb_entity *out);

#endif
