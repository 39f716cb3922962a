/* each: a macro that is applied to each of its arguments. */
#ifndef PB_EACH_H
#define PB_EACH_H

/* PB_EACH(m, a, b, c) is m(a) m(b) m(c), for up to 16 arguments. */
#define PB_EACH(m, ...)                                                                                                \
    PB_EACH_PICK(__VA_ARGS__, PB_EACH_16, PB_EACH_15, PB_EACH_14, PB_EACH_13, PB_EACH_12, PB_EACH_11, PB_EACH_10,      \
                 PB_EACH_9, PB_EACH_8, PB_EACH_7, PB_EACH_6, PB_EACH_5, PB_EACH_4, PB_EACH_3, PB_EACH_2, PB_EACH_1, 0) \
    (m, __VA_ARGS__)
#define PB_EACH_PICK(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, n, ...) n
#define PB_EACH_1(m, a) m(a)
#define PB_EACH_2(m, a, ...) m(a) PB_EACH_1(m, __VA_ARGS__)
#define PB_EACH_3(m, a, ...) m(a) PB_EACH_2(m, __VA_ARGS__)
#define PB_EACH_4(m, a, ...) m(a) PB_EACH_3(m, __VA_ARGS__)
#define PB_EACH_5(m, a, ...) m(a) PB_EACH_4(m, __VA_ARGS__)
#define PB_EACH_6(m, a, ...) m(a) PB_EACH_5(m, __VA_ARGS__)
#define PB_EACH_7(m, a, ...) m(a) PB_EACH_6(m, __VA_ARGS__)
#define PB_EACH_8(m, a, ...) m(a) PB_EACH_7(m, __VA_ARGS__)
#define PB_EACH_9(m, a, ...) m(a) PB_EACH_8(m, __VA_ARGS__)
#define PB_EACH_10(m, a, ...) m(a) PB_EACH_9(m, __VA_ARGS__)
#define PB_EACH_11(m, a, ...) m(a) PB_EACH_10(m, __VA_ARGS__)
#define PB_EACH_12(m, a, ...) m(a) PB_EACH_11(m, __VA_ARGS__)
#define PB_EACH_13(m, a, ...) m(a) PB_EACH_12(m, __VA_ARGS__)
#define PB_EACH_14(m, a, ...) m(a) PB_EACH_13(m, __VA_ARGS__)
#define PB_EACH_15(m, a, ...) m(a) PB_EACH_14(m, __VA_ARGS__)
#define PB_EACH_16(m, a, ...) m(a) PB_EACH_15(m, __VA_ARGS__)

#endif
