"""Muon for the matrices (orthogonalised momentum), AdamW for embeddings, head and norms."""

import torch
import torch.distributed as dist


def orthogonalise(g: torch.Tensor) -> torch.Tensor:
    """Nearest semi-orthogonal matrix, roughly: five Newton-Schulz steps in bf16."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Each process orthogonalises its share of the matrices; the steps are then added up over all."""

    def __init__(self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.updates = torch.zeros(sum(p.numel() for g in self.param_groups for p in g["params"]))

    @torch.no_grad()
    def step(self) -> None:
        self.updates.zero_()
        at = turn = 0
        views = []
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                m = state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                view = self.updates[at : at + p.numel()].view_as(p)
                views.append((p, view, group))
                at += p.numel()
                # Stacked matrices: q, k, v in one, gate and up in another.
                update = p.grad.lerp(m, group["momentum"])
                for u, out in zip(update.split(part_rows(p)), view.split(part_rows(p))):
                    turn += u.numel() // 65536
                    if turn % dist.get_world_size() == dist.get_rank():
                        out.copy_(orthogonalise(u) * max(1.0, u.shape[0] / u.shape[1]) ** 0.5)
        dist.all_reduce(self.updates)
        for p, view, group in views:
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(view, alpha=-group["lr"])


def part_rows(p: torch.Tensor) -> int:
    """768 rows are q, k, v; 1536 are gate and up."""
    return {768: 256, 1536: 768}.get(p.shape[0], p.shape[0])


def make_optimizers(net: torch.nn.Module, rates: dict[str, float]) -> list[torch.optim.Optimizer]:
    named = list(net.named_parameters())
    matrices = [p for n, p in named if p.ndim == 2 and "layers" in n]
    tables = [p for n, p in named if p.ndim == 2 and "layers" not in n]
    norms = [p for _, p in named if p.ndim == 1]
    groups = [
        {"params": tables, "lr": rates["tables"], "weight_decay": 0.0},
        {"params": norms, "lr": rates["norms"], "weight_decay": 0.0},
    ]
    made = [Muon(matrices, rates["matrices"]), torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-10, fused=True)]
    for optimizer in made:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return made
