"""The cases of rank1-models/benches/steps.rs written in PyTorch, eager or compiled; one JSON object for one case.

Usage: torch_steps.py CASE [--compile] [--seconds N] [--threads N]

Written as a PyTorch user who wants speed would: one draw per row by the reparameterisation trick, members folded into the
batch, channels-last images, the fused SGD of the CPU where there is one, zero_grad(set_to_none=True), inference mode for
predictions. TabM is its published package, with the optimizer of its example.
"""

import argparse
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

K = 4


class Factor(nn.Module):
    """K members of D normal factors around a random sign; its KL is to a normal prior around one."""

    def __init__(self, d, prior_std=0.1):
        super().__init__()
        self.location = nn.Parameter(torch.randint(0, 2, (K, d)).float() * 2 - 1)
        self.raw_scale = nn.Parameter(torch.full((K, d), -2.2))
        self.prior_std = prior_std

    def forward(self, rows):
        scale = F.softplus(self.raw_scale)
        b = rows // K
        noise = torch.randn(K, b, scale.shape[1])
        return (self.location[:, None] + scale[:, None] * noise).reshape(rows, -1)

    def kl(self):
        scale = F.softplus(self.raw_scale)
        ratio = (scale / self.prior_std) ** 2
        shift = ((self.location - 1.0) / self.prior_std) ** 2
        return 0.5 * (ratio + shift - 1.0 - ratio.log()).sum()


class Rank1(nn.Module):
    def __init__(self, d_in, d_out, bias=True):
        super().__init__()
        self.r, self.s = Factor(d_in), Factor(d_out)
        self.bias = nn.Parameter(torch.zeros(K, d_out)) if bias else None

    def add_bias(self, y):
        if self.bias is None:
            return y
        k_bias = self.bias.repeat_interleave(y.shape[0] // K, 0)
        return y + k_bias.reshape(k_bias.shape + (1,) * (y.dim() - 2))


class Linear(Rank1):
    def __init__(self, d_in, d_out):
        super().__init__(d_in, d_out)
        self.weight = nn.Parameter(torch.randn(d_out, d_in) * (2.0 / d_in) ** 0.5)

    def forward(self, x):
        rows = x.shape[0]
        return self.add_bias(F.linear(x * self.r(rows), self.weight) * self.s(rows))


class Conv(Rank1):
    def __init__(self, c_in, c_out, kernel=3, stride=1):
        super().__init__(c_in, c_out, bias=False)
        weight = torch.randn(c_out, c_in, kernel, kernel) * (2.0 / (c_in * kernel * kernel)) ** 0.5
        self.weight = nn.Parameter(weight.to(memory_format=torch.channels_last))
        self.stride, self.padding = stride, kernel // 2

    def forward(self, x):
        rows = x.shape[0]
        y = F.conv2d(x * self.r(rows)[:, :, None, None], self.weight, None, self.stride, self.padding)
        return y * self.s(rows)[:, :, None, None]


class Mlp(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.layers = nn.ModuleList(Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class Lstm(nn.Module):
    """One draw per sequence; the input path of all steps is one product."""

    def __init__(self, features, units):
        super().__init__()
        self.units = units
        self.input = Linear(features, 4 * units)
        self.recurrent = Linear(units, 4 * units)
        self.recurrent.bias = None
        self.logit = Linear(units, 1)

    def forward(self, x):
        rows, steps, _ = x.shape
        into = F.linear(x * self.input.r(rows)[:, None], self.input.weight) * self.input.s(rows)[:, None]
        into = into + self.input.bias.repeat_interleave(rows // K, 0)[:, None]
        r, s, weight = self.recurrent.r(rows), self.recurrent.s(rows), self.recurrent.weight
        h = x.new_zeros(rows, self.units)
        c = x.new_zeros(rows, self.units)
        for gates in into.unbind(1):
            gates = gates + F.linear(h * r, weight) * s
            i, f, g, o = gates.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.logit(h)


class Basic(nn.Module):
    """A residual block of CIFAR's ResNet; a shortcut that changes the size is projected and normalised."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.first, self.second = Conv(c_in, c_out, 3, stride), Conv(c_out, c_out)
        self.norms = nn.ModuleList([nn.BatchNorm2d(c_out), nn.BatchNorm2d(c_out)])
        self.shortcut = nn.Identity()
        if c_in != c_out or stride > 1:
            self.shortcut = nn.Sequential(Conv(c_in, c_out, 1, stride), nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = F.relu(self.norms[0](self.first(x)))
        y = self.norms[1](self.second(y))
        return F.relu(y + self.shortcut(x))


class Wide(nn.Module):
    """A pre-activation block of the Wide ResNet with the projection on the raw input."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(c_in), nn.BatchNorm2d(c_out)])
        self.first, self.second = Conv(c_in, c_out, 3, stride), Conv(c_out, c_out)
        self.shortcut = Conv(c_in, c_out, 1, stride) if c_in != c_out or stride > 1 else nn.Identity()

    def forward(self, x):
        y = self.first(F.relu(self.norms[0](x)))
        y = self.second(F.relu(self.norms[1](y)))
        return y + self.shortcut(x)


class Images(nn.Module):
    def __init__(self, block, blocks, widths):
        super().__init__()
        self.stem = Conv(3, 16)
        self.wide = block is Wide
        self.stem_norm = nn.Identity() if self.wide else nn.BatchNorm2d(16)
        body, c_in = [], 16
        for stage, width in enumerate(widths):
            for index in range(blocks):
                body.append(block(c_in, width, 2 if stage and not index else 1))
                c_in = width
        self.body = nn.Sequential(*body)
        self.last_norm = nn.BatchNorm2d(c_in) if self.wide else nn.Identity()
        self.logits = Linear(c_in, 10)

    def forward(self, x):
        x = self.stem(x)
        if not self.wide:
            x = F.relu(self.stem_norm(x))
        x = self.body(x)
        if self.wide:
            x = F.relu(self.last_norm(x))
        return self.logits(x.mean((2, 3)))


class Noise(nn.Module):
    """A network with one output and a learned noise scale."""

    def __init__(self, net):
        super().__init__()
        self.net, self.log_noise = net, nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.net(x)


def setting(name):
    """Network, inputs of new examples, targets, rows of the training set."""
    torch.manual_seed(0)
    classes = lambda n: torch.arange(n) % 10
    image = lambda n: torch.randn(n, 3, 32, 32).to(memory_format=torch.channels_last)
    if name == "uci50":
        return Noise(Mlp(13, 50, 1)), torch.randn(32, 13), torch.randn(32), 455
    if name == "mlp784":
        return Mlp(784, 512, 512, 10), torch.randn(32, 784), classes(32), 60_000
    if name == "lstm48":
        return Lstm(80, 128), torch.randn(16, 48, 80), (torch.arange(16) % 2).float(), 4_000
    if name == "resnet20":
        return Images(Basic, 3, (16, 32, 64)), image(32), classes(32), 50_000
    if name == "wrn16_2":
        return Images(Wide, 2, (32, 64, 128)), image(16), classes(16), 50_000
    if name == "predict1_mlp784":
        return Mlp(784, 512, 512, 10), torch.randn(1, 784), None, 60_000
    if name in ("tabm512", "predict_tabm512"):
        import tabm

        net = tabm.TabM.make(n_num_features=20, d_out=10, k=32, d_block=512, n_blocks=3, dropout=0.1)
        rows = 256 if name == "tabm512" else 4096
        return net, torch.randn(rows, 20), classes(rows), 14_000
    sys.exit(f"no case is called {name}")


def tile(x, times):
    return x.repeat((times,) + (1,) * (x.dim() - 1))


def build(name, compiled):
    net, inputs, targets, n = setting(name)
    factors = [module for module in net.modules() if isinstance(module, Factor)]
    if name == "tabm512":
        return tabm_step(net, inputs, targets, compiled)
    if name == "predict_tabm512":
        return tabm_prediction(net, inputs, compiled)
    if name.startswith("predict"):
        samples = 8
        net.eval()

        def predict(x):
            logits = net(tile(x, K * samples)).reshape(K, samples, x.shape[0], 10)
            return torch.logsumexp(F.log_softmax(logits, -1).flatten(0, 1), 0) - torch.tensor(float(K * samples)).log()

        work = torch.compile(predict) if compiled else predict

        def run():
            with torch.inference_mode():
                work(inputs)

        return run

    def objective(x, y):
        out = net(tile(x, K))
        if name == "uci50":
            z = (tile(y, K) - out[:, 0]) * torch.exp(-net.log_noise)
            nll = (0.5 * z * z).mean() + net.log_noise + 0.9189385
        elif name == "lstm48":
            nll = F.binary_cross_entropy_with_logits(out[:, 0], tile(y, K))
        else:
            nll = F.cross_entropy(out, tile(y, K))
        return nll + sum(factor.kl() for factor in factors) / n

    work = torch.compile(objective) if compiled else objective
    parameters = list(net.parameters())
    try:
        optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, nesterov=True, fused=True)
    except (RuntimeError, TypeError):
        optimizer = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, nesterov=True)

    def run():
        optimizer.zero_grad(set_to_none=True)
        loss = work(inputs, targets)
        loss.backward()
        optimizer.step()

    return run


def tabm_step(net, inputs, targets, compiled):
    """The mean of the members' losses and AdamW."""

    def objective(x, y):
        out = net(x)
        return F.cross_entropy(out.flatten(0, 1), y.repeat_interleave(out.shape[1]))

    work = torch.compile(objective) if compiled else objective
    parameters = list(net.parameters())
    try:
        optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=3e-4, fused=True)
    except (RuntimeError, TypeError):
        optimizer = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=3e-4)

    def run():
        optimizer.zero_grad(set_to_none=True)
        work(inputs, targets).backward()
        optimizer.step()

    return run


def tabm_prediction(net, inputs, compiled):
    """The mean of the members' probabilities."""
    net.eval()
    predict = lambda x: torch.softmax(net(x), -1).mean(1)
    work = torch.compile(predict) if compiled else predict

    def run():
        with torch.inference_mode():
            work(inputs)

    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = build(options.case, options.compile)
    for _ in range(3):
        run()
    started = time.perf_counter()
    while time.perf_counter() - started < 0.1 * options.seconds:
        run()
    times = []
    started = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - started < options.seconds:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    times.sort()
    print(
        json.dumps(
            {
                "case": options.case,
                "mode": "compiled" if options.compile else "eager",
                "median_ms": 1e3 * times[len(times) // 2],
                "min_ms": 1e3 * times[0],
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
                "runs": len(times),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
