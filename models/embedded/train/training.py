"""The loop that all trainings share: workers, time budget, learning rate, checkpoints, log."""
import os
import time

import torch
import torch.multiprocessing

from model import Optimiser

CHECKPOINT_SECONDS = 120
WORKERS = int(os.environ.get("TRAIN_WORKERS", os.cpu_count()))


def learning_rate_scale(progress, decay_share):
    """Warm-up over the first 2 %, flat, then linear to zero over the last `decay_share`."""
    return min(1.0, progress / 0.02 + 0.01, max(0.0, 1.0 - progress) / decay_share)


def save(path, state):
    """Writes beside, then renames: an interrupted save leaves the old checkpoint whole."""
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def fit(module, make_batches, loss_of, path, minutes, decay_share=0.45, report=50, **rates):
    """Trains until `minutes` of training time (over all runs) are spent.

    `make_batches(skip)` gives batches (tuples of tensors, one row per story) from number `skip`
    on. `loss_of(progress, *rows)` gives (loss, figures to log, tokens), where progress is the
    spent share of the budget. The checkpoint at `path` is resumed if it exists. The module ends
    with the running mean of its weights over about the last 100 steps, which is less noisy than
    the last step.

    One single-threaded process per core, each with its share of every batch: at this size
    PyTorch spends more on splitting one small operation over threads than it gains.
    """
    torch.set_num_threads(1)
    module.share_memory()
    optimiser = Optimiser(module, **rates)
    params = optimiser.params
    average = [p.detach().clone().share_memory_() for p in params]
    step, tokens, spent = 0, 0, 0.0
    if os.path.exists(path):
        state = torch.load(path)
        module.load_state_dict(state["module"])
        optimiser.restore(state["optimiser"])
        for a, b in zip(average, state["average"]):
            a.copy_(b)
        step, tokens, spent = state["step"], state["tokens"], state["spent"]
    grads = [[torch.zeros_like(p).share_memory_() for p in params] for _ in range(WORKERS)]
    # Worker 0 keeps the time and tells the others the progress.
    control = torch.zeros(1).share_memory_()
    counts = torch.zeros(WORKERS).share_memory_()
    context = torch.multiprocessing.get_context("fork")
    barrier = context.Barrier(WORKERS)

    def work(part):
        nonlocal step, tokens, spent
        torch.set_num_threads(1)
        budget, data = minutes * 60, make_batches(step)
        last = saved = reported = time.time()
        sums, reported_step, reported_tokens = {}, step, tokens

        def checkpoint():
            save(path, {"module": module.state_dict(), "optimiser": optimiser.state(),
                        "average": average, "step": step, "tokens": tokens, "spent": spent})

        while True:
            if part == 0:
                control[0] = spent / budget
            barrier.wait()
            progress = float(control[0])
            if progress >= 1:
                break
            scale = learning_rate_scale(progress, decay_share)
            rows = [x[part::WORKERS] for x in next(data)]
            counts[part] = 0
            for g in grads[part]:
                g.zero_()
            if len(rows[0]) > 0:
                loss, figures, counts[part] = loss_of(progress, *rows)
                for p in params:
                    p.grad = None
                loss.backward()
                for p, g in zip(params, grads[part]):
                    if p.grad is not None:
                        g.copy_(p.grad)
                for k, v in figures.items():
                    sums[k] = sums.get(k, 0.0) + float(v)
            barrier.wait()
            share = counts / counts.sum()
            total = [sum(s * g for s, g in zip(share, gs)) for gs in zip(*grads)]
            optimiser.step(total, scale, step, part, WORKERS)
            barrier.wait()
            step, tokens = step + 1, tokens + int(counts.sum())
            with torch.no_grad():
                for i in range(part, len(params), WORKERS):
                    average[i].lerp_(params[i], max(0.01, 1 / step))
            now = time.time()
            spent, last = spent + now - last, now
            if part == 0 and step % report == 0:
                n, rate = step - reported_step, (tokens - reported_tokens) / (now - reported)
                print(f"step {step} min {spent / 60:.1f} tokens {tokens / 1e6:.2f}M "
                      f"{rate:.0f}/s lr {scale:.3f} "
                      + " ".join(f"{k} {v / n:.4f}" for k, v in sums.items()), flush=True)
                sums, reported, reported_step, reported_tokens = {}, now, step, tokens
            if part == 0 and now - saved > CHECKPOINT_SECONDS:
                checkpoint()
                saved = now
        if part == 0:
            checkpoint()

    others = [context.Process(target=work, args=(i,), daemon=True) for i in range(1, WORKERS)]
    for process in others:
        process.start()
    work(0)
    for process in others:
        process.join()
    with torch.no_grad():
        for p, a in zip(params, average):
            p.copy_(a)
