"""A network of one hidden layer in numpy, on generated data. It knows nothing of sweep.

python numpy_mlp.py --lr 0.2 --hidden 32 --seed 1
"""

import argparse

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.2)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--hidden", type=int, default=32)
parser.add_argument("--weight-decay", type=float, default=0.0)
parser.add_argument("--act", choices=["tanh", "relu"], default="tanh")
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

task = np.random.default_rng(0)  # the same data for every seed
features = task.normal(size=(1500, 8))
target = np.sin(features @ task.normal(size=8)) + 0.1 * task.normal(size=1500)
train_x, val_x, train_y, val_y = features[:1000], features[1000:], target[:1000], target[1000:]

random = np.random.default_rng(args.seed)  # initial weights, and the order of the data
weights = [
    random.normal(size=(8, args.hidden)) / np.sqrt(8),
    np.zeros(args.hidden),
    random.normal(size=args.hidden) / np.sqrt(args.hidden),
]
velocity = [np.zeros_like(each) for each in weights]


def hidden(x):
    before = x @ weights[0] + weights[1]
    return np.tanh(before) if args.act == "tanh" else np.maximum(before, 0)


for step in range(1, args.steps + 1):
    lr = args.lr * (1 - step / args.steps)
    rows = random.integers(0, len(train_x), 32)
    x, y = train_x[rows], train_y[rows]
    h = hidden(x)
    error = (h @ weights[2] - y) / len(rows)
    slope = 1 - h**2 if args.act == "tanh" else h > 0
    back = np.outer(error, weights[2]) * slope
    gradients = [x.T @ back, back.sum(0), h.T @ error]
    for weight, gradient, speed in zip(weights, gradients, velocity, strict=True):
        speed *= args.momentum
        speed -= lr * (gradient + args.weight_decay * weight)
        weight += speed
    if step % 100 == 0 or step == args.steps:
        loss = np.mean((hidden(val_x) @ weights[2] - val_y) ** 2)
        print(f"step {step} val loss {loss:.6f}", flush=True)
