/* cmd_plan: the memory and FLOPs of training each row, computed without training. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "base/json.h"
#include "cli/cmd.h"
#include "cli/device_card.h"
#include "driver/plan.h"
#include "experiment/experiment_reader.h"

static double megabytes(size_t bytes)
{
    return (double)bytes / 1e6;
}

static void print_row(const pb_cell *c, const pb_cell_bill *b, int width)
{
    const pb_footprint *f = &b->f;
    const pb_effort *w = &f->effort;
    double per = w->tokens ? 1e-6 / (double)w->tokens : 0;
    printf("%-*s %14llu %11.2f %11.2f %11.2f %11.2f %11.2f %11.2f %11.2f %11.2f %11.2f %11.2f %9.1f %9.1f %9.1f\n",
           width, c->row->label, (unsigned long long)b->counts.trainable, megabytes(f->weights),
           megabytes(f->gradients), megabytes(f->optimizer), megabytes(f->best), megabytes(f->activations),
           megabytes(f->workspace), megabytes(f->features), megabytes(pb_footprint_prepare(f)),
           megabytes(pb_footprint_total(f)), (double)b->saved / 1e6, (double)w->forward_flops * per,
           (double)w->backward_flops * per, (double)w->recompute_flops * per);
}

static void print_json(const pb_experiment *e, const pb_cell *c, const pb_cell_bill *b)
{
    const pb_footprint *f = &b->f;
    pb_text names = {0};
    pb_json_quote(&names, c->row->label);
    pb_text_add(&names, ",\"task\":");
    pb_json_quote(&names, e->task_name);
    pb_text_add(&names, ",\"choice\":");
    pb_json_quote(&names, c->choice);
    printf(
        "{\"method\":%s,\"trainable\":%llu,\"weights\":%zu,\"gradients\":%zu,\"optimizer\":%zu,"
        "\"best\":%zu,"
        "\"activations\":%zu,\"workspace\":%zu,\"features\":%zu,\"prepare_gradients\":%zu,\"prepare_statistics\":%zu,"
        "\"prepare_activations\":%zu,\"prepare_workspace\":%zu,\"prepare_total\":%zu,\"total\":%zu,\"saved\":%lld,"
        "\"steps\":%d,\"tokens\":%llu,\"forward_flops\":%llu,\"backward_flops\":%llu,\"recompute_flops\":%llu,"
        "\"prepare_flops\":%llu}\n",
        names.data, (unsigned long long)b->counts.trainable, f->weights, f->gradients, f->optimizer, f->best,
        f->activations, f->workspace, f->features, f->prepare.gradients, f->prepare.statistics, f->prepare.activations,
        f->prepare.workspace, pb_footprint_prepare(f), pb_footprint_total(f), b->saved, f->effort.steps,
        (unsigned long long)f->effort.tokens, (unsigned long long)f->effort.forward_flops,
        (unsigned long long)f->effort.backward_flops, (unsigned long long)f->effort.recompute_flops,
        (unsigned long long)f->effort.prepare_flops);
    pb_text_free(&names);
}

/* Returns whether two settings of a row need the same memory and FLOPs, as two learning rates do. */
static bool costs_the_same(const pb_footprint *a, const pb_footprint *b)
{
    return pb_footprint_total(a) == pb_footprint_total(b) && a->gradients == b->gradients &&
           a->activations == b->activations && a->effort.forward_flops == b->effort.forward_flops &&
           a->effort.backward_flops == b->effort.backward_flops &&
           a->effort.recompute_flops == b->effort.recompute_flops && a->effort.prepare_flops == b->effort.prepare_flops;
}

static int plan_experiment(const pb_experiment *e, const pb_args *a)
{
    int width = pb_experiment_label_width(e, 20);
    if (!a->json)
        printf("%-*s %14s %11s %11s %11s %11s %11s %11s %11s %11s %11s %11s %9s %9s %9s\n", width, "MB (10^6 bytes)",
               "trainable", "weights", "gradients", "optimizer", "best", "activations", "workspace", "features",
               "prepare", "total", "saved", "forward", "backward", "again");
    const pb_row *last = NULL;
    pb_cell_bill before = {0};
    for (int i = 0; i < e->cells; i++) {
        const pb_cell *c = &e->cell[i];
        pb_cell_bill b;
        if (c->seed != e->seed[0])
            continue;
        if (pb_cell_plan(e, c, a->tokens, &b))
            return PB_EXIT_QUESTION;
        bool same = last && c->row == last && costs_the_same(&b.f, &before.f);
        if (a->json)
            print_json(e, c, &b);
        else if (!same)
            print_row(c, &b, width);
        last = c->row;
        before = b;
    }
    if (!a->json)
        printf("best: the copy of the best epoch's parameters that patience keeps;\n"
               "prepare: all memory, weights included, while a method computes what it needs to know before the first "
               "step;\n"
               "total: the larger one of prepare and the sum of the classes;\n"
               "forward, backward, again: MFLOP per token of text, mean over all training steps;\n"
               "saved: memory that checkpoint = yes saves;\n"
               "again: what is computed more than once, by checkpoint = yes or for weights that a method makes\n");
    return PB_EXIT_DONE;
}

/* Returns whether an option asks for a plan for a GPU. */
static bool is_for_device(const pb_args *a)
{
    return a->device || a->model || a->methods || a->precision || a->options;
}

static int plan(const pb_args *a)
{
    if (is_for_device(a))
        return pb_device_card(a);
    if (!a->words)
        return (pb_error("plan: want EXPERIMENT.ini, or --model and --methods"), PB_EXIT_QUESTION);
    pb_experiments x;
    if (pb_experiments_read(&x, a->word[0], a->set, a->task))
        return PB_EXIT_QUESTION;
    pb_threads_start(a->threads); /* each thread has a workspace */
    int rc = PB_EXIT_DONE;
    for (int i = 0; i < x.tasks && rc == PB_EXIT_DONE; i++) {
        if (x.tasks > 1 && !a->json)
            printf("%stask %s\n", i ? "\n" : "", x.task[i]->task_name);
        rc = plan_experiment(x.task[i], a);
    }
    pb_threads_stop();
    pb_experiments_free(&x);
    return rc;
}

const pb_command pb_cmd_plan = {
    .name = "plan",
    .words = "[EXPERIMENT.ini]",
    .least = 0,
    .most = 1,
    .options =
        "set task threads tokens json model methods device batch length precision master optimizer moments adapters "
        "checkpoint "
        "peak utilization train-tokens",
    .help =
        "print the exact memory and FLOPs of training each row\n\n"
        "Memory is given in bytes by class (weights, gradients, optimizer, activations, workspace).  Nothing is "
        "trained and\n"
        "no weight is read.  With --tokens the model folder needs only config.json.\n\n"
        "With --device, or one of the options below it, the plan is for training on a GPU by the accounting rules of\n"
        "mixed precision (docs/big-models.md): memory by class, bytes of the stored result, FLOPs, hours, and the\n"
        "largest batch and length that fit.  --model and --methods take the place of an experiment's file:\n\n"
        "  peftbench plan --model llama-3-8b --methods full,lora,qlora,prefix --batch 4 --length 2048 --device 80G\n",
    .run = plan,
};
