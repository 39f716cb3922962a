/* peftbench: the header that a plugin includes: the contracts of methods and tasks, the graph operations, products
 * and decompositions of matrices, what tasks need to read tables and to compute metrics, and the C library's headers
 * that plugins use. */
#ifndef PEFTBENCH_H
#define PEFTBENCH_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "graph/op.h"
#include "model/bottleneck.h"
#include "model/factors.h"
#include "model/low_rank.h"
#include "model/plugin.h"
#include "model/singular.h"
#include "model/soft_prompt.h"
#include "numeric/cluster.h"
#include "numeric/lapack.h"
#include "numeric/product.h"
#include "numeric/skew.h"
#include "numeric/top.h"
#include "table/table.h"
#include "train/conversation.h"
#include "train/entities.h"
#include "train/labels.h"
#include "train/metric.h"
#include "train/result.h"
#include "train/task.h"

#endif
