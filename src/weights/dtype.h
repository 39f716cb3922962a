/* dtype: the types of the numbers in a checkpoint. */
#ifndef PB_DTYPE_H
#define PB_DTYPE_H

typedef enum pb_dtype {
    PB_F64,
    PB_F32,
    PB_F16,
    PB_BF16,
    PB_I64,
    PB_I32,
    PB_U8,
    PB_F8,    /* 8-bit floats of any layout, which are never converted     */
    PB_OTHER, /* any other type, which is never converted                    */
    PB_Q4_0,  /* from here on the block formats of ggml, see blocks.h      */
    PB_Q4_1,
    PB_Q5_0,
    PB_Q5_1,
    PB_Q8_0,
    PB_Q2_K,
    PB_Q3_K,
    PB_Q4_K,
    PB_Q5_K,
    PB_Q6_K
} pb_dtype;

#endif
