/* peftbench: what a plugin includes.  Method and task contracts, the ops, and nothing else. */
#ifndef PEFTBENCH_H
#define PEFTBENCH_H

#include "graph/op.h"
#include "model/plugin.h"
#include "numeric/product.h"
#include "table/table.h"
#include "train/labels.h"
#include "train/metric.h"
#include "train/result.h"
#include "train/task.h"

#endif
