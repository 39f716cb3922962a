/* named_tasks: the names of the tasks that a file tasks/NAME.ini describes. */
#ifndef PB_NAMED_TASKS_H
#define PB_NAMED_TASKS_H

/* Returns the names of the files tasks/NAME.ini of the working directory in alphabetical order, a NULL-ended list.  The
 * caller frees it with pb_named_tasks_free. */
char **pb_named_tasks(void);
void pb_named_tasks_free(char **names);

#endif
