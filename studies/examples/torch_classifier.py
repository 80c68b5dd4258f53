"""A small classifier in PyTorch, on generated spirals. It knows nothing of sweep.

    python torch_classifier.py lr=0.01 width=32 seed=1

It takes words `name=value`, as Hydra does, and prints a line of JSON per evaluation.
"""

import json
import sys

import torch
from torch import nn

config = {"lr": 0.01, "width": 32, "norm": False, "label_smoothing": 0.0, "steps": 300, "seed": 0}
config["optimizer"] = "adam"
for word in sys.argv[1:]:
    name, _, value = word.partition("=")
    kind = type(config[name])
    config[name] = value == "true" if kind is bool else kind(value)


def spirals(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of three noisy spirals, and the number of the spiral of each."""
    random = torch.Generator().manual_seed(seed)
    label = torch.randint(3, (count,), generator=random)
    radius = torch.rand(count, generator=random)
    noise = 0.25 * torch.randn(count, generator=random)
    angle = 5 * radius + label * 2 * torch.pi / 3 + noise
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), label


torch.set_num_threads(1)
train_x, train_y = spirals(1000, seed=0)
val_x, val_y = spirals(2000, seed=1)

torch.manual_seed(config["seed"])
width = config["width"]
norm = (lambda: nn.LayerNorm(width)) if config["norm"] else nn.Identity
model = nn.Sequential(
    *(nn.Linear(2, width), norm(), nn.ReLU()),
    *(nn.Linear(width, width), norm(), nn.ReLU()),
    nn.Linear(width, 3),
)
kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
optimizer = kinds[config["optimizer"]](model.parameters(), lr=config["lr"])
loss_function = nn.CrossEntropyLoss(label_smoothing=config["label_smoothing"])

for step in range(1, config["steps"] + 1):
    rows = torch.randint(len(train_x), (64,))
    loss = loss_function(model(train_x[rows]), train_y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == config["steps"]:
        with torch.no_grad():
            scores = model(val_x)
        accuracy = (scores.argmax(1) == val_y).float().mean().item()
        val_loss = nn.functional.cross_entropy(scores, val_y).item()
        print(json.dumps({"step": step, "accuracy": accuracy, "val_loss": val_loss}), flush=True)
