"""Runs each contender in turn, A B A B, and prints the table of ratios.

    benches/compare/run [--quick] [--only TASK,...] [--rounds N]

Every contender is one thread; its CPU time counts, and the best of all rounds.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CONTENDERS = os.path.join(HERE, "contenders.py")
# NumPy's AVX-512 sorts are quicker on some processors and slower on others.
NO_AVX512 = "X86_V4 AVX512_ICL AVX512_SPR"


class Worker:
    """A process that does one task at a time."""

    def __init__(self, command, **environment):
        self.command, self.environment = command, {**os.environ, **environment}
        self.process = None

    def ask(self, task):
        if self.process is None:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self.process.stdin.write(task + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 4:
            raise SystemExit(f"{' '.join(self.command)} did not answer {task!r}: {answer}")
        return answer

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def workers(ours):
    python = [sys.executable, CONTENDERS]
    return {
        "fixname": Worker([ours]),
        "library": Worker([ours]),
        "python": Worker(python),
        "numpy": Worker(python + ["numpy"]),
        "numpy without AVX-512": Worker(python + ["numpy"], NPY_DISABLE_CPU_FEATURES=NO_AVX512),
    }


NUMPYS = ["numpy", "numpy without AVX-512"]


class Comparison:
    """One question: our task, the others' tasks, and the ratio that must be.

    Sizes are in items, full and quick. `about` is what the check numbers must
    be near to: a contender that counts something else is not one."""

    def __init__(self, name, what, unit, ours, others, must, aim, about, within, peak=None):
        self.name, self.what, self.unit = name, what, unit
        self.ours, self.others = ours, others
        self.must, self.aim = must, aim
        self.about, self.within, self.peak = about, within, peak


def numpys(task, full, quick):
    return [(worker, task, full, quick) for worker in NUMPYS]


def comparisons():
    """Each contender: worker, task with {} for the size, full and quick size."""
    p302, p1000 = 0.500722, 0.999538
    key = ("fixname", "groups 64 {}", 100_000_000, 20_000_000)
    # NumPy's row sort is asked less everywhere: do any two of a cluster collide?
    yield Comparison(
        "n1000", "1,000 disks: how many differ", "disks",
        ("fixname", "distinct 1000 {}", 200_000, 50_000),
        numpys("row-sort 1000 {}", 40_000, 20_000), 8, 12, p1000, 0.001)
    yield Comparison(
        "n302", "302 disks: how many differ", "disks",
        ("fixname", "distinct 302 {}", 400_000, 100_000),
        numpys("row-sort 302 {}", 100_000, 40_000), 2.5, 4, p302, 0.02)
    yield Comparison(
        "n302-unique", "302 disks, a call for each cluster", "disks",
        ("fixname", "distinct 302 {}", 400_000, 100_000),
        numpys("unique 302 {}", 10_000, 3_000), 100, 150, p302, 0.05)
    yield Comparison(
        "n1000-groups", "1,000 disks: pairs and group sizes", "disks",
        ("fixname", "fixed 1000 {}", 200_000, 50_000),
        numpys("row-sort 1000 {}", 40_000, 20_000), None, None, p1000, 0.001)
    yield Comparison(
        "n302-groups", "302 disks: pairs and group sizes", "disks",
        ("fixname", "fixed 302 {}", 400_000, 100_000),
        numpys("row-sort 302 {}", 100_000, 40_000), None, None, p302, 0.02)
    yield Comparison(
        "curve", "every number of disks at once", "clusters",
        ("fixname", "curve {}", 1_000_000, 200_000),
        numpys("curve {}", 20_000, 6_000), 55, 100, p302, 0.03)
    yield Comparison(
        "p302", "P(302) to ±0.001 (960,000 clusters)", "disks",
        ("fixname", "fixed 302 {}", 960_000, 240_000),
        [("python", "script 302 {}", 1_500, 500)], 1500, 3000, p302, 0.1)
    yield Comparison(
        "groups", "equal ones among 64-bit keys", "keys", key,
        numpys("groups {}", 100_000_000, 20_000_000), 4, 8, 0, 3, peak=64)
    yield Comparison(
        "sorts", "same, sort libraries", "keys", key,
        [("library", f"sort-{name} {{}}", 100_000_000, 20_000_000)
         for name in ("std", "rdst", "voracious")], None, None, 0, 3)
    yield Comparison(
        "hash-map", "same, HashMap<String, _>", "keys", key,
        [("library", "hash-map {}", 10_000_000, 4_000_000)], 300, 600, 0, 3)
    yield Comparison(
        "names", "SHA-224 names", "names",
        ("fixname", "names {}", 4_000_000, 1_000_000),
        [("python", "names {}", 300_000, 100_000)], 30, 75, 0, 0)
    yield Comparison(
        "p-any", "exact P, 100,000 disks, 64 bits", "answers",
        ("fixname", "p-any 64 100000 {}", 2_000_000, 500_000),
        [("python", "decimal 64 100000 {}", 5, 3)], None, None, 2.71e-10, 1e-12)


# What must hold by itself: task, size, and limits on CPU seconds and on MiB.
ALONE = [
    ("p-any-16", "exact P, 302 disks, 16 bits", "p-any 16 302 {}", 2_000_000, 1e6, None, None),
    ("10^10", "equal ones among 10^10 64-bit keys", "groups 64 {}", 10**10, None, 45, 64),
]


def number(value):
    return f"{value:.3g}" if 0.001 <= value < 1000 else f"{value:.2e}"


def compare(question, pool, rounds, quick):
    contenders = [question.ours, *question.others]
    best = {}
    for _ in range(rounds):
        for contender in contenders:
            worker, task, full, small = contender
            seconds, items, check, _ = pool[worker].ask(task.format(small if quick else full))
            if abs(float(check) - question.about) > question.within:
                raise SystemExit(f"{worker} {task}: {check}, not about {question.about}")
            rate = int(items) / float(seconds)
            best[contender] = max(best.get(contender, 0), rate)
    return best


def rows(question, best):
    ours = best[question.ours]
    fastest = max(question.others, key=best.get)
    for other in sorted(question.others, key=best.get, reverse=True):
        ratio = ours / best[other]
        named = other[1].split()[0].replace("sort-", "")
        label = named if other[0] == "library" else f"{other[0]}, {named}"
        counts = other is fastest
        must = question.must if counts else None
        verdict = "" if must is None else "yes" if ratio >= must else "NO"
        yield [
            question.what if counts else "", f"{number(ours)} {question.unit}/s" if counts else "",
            label, number(best[other]), f"{ratio:,.1f}" if ratio < 100 else f"{ratio:,.0f}",
            f"{must:,}" if must else "", f"{question.aim:,}" if must else "", verdict]


def peak_row(question, ours, quick):
    """The most memory of a process that did this and nothing else."""
    alone = Worker([ours])
    _, task, full, small = question.ours
    peak = int(alone.ask(task.format(small if quick else full))[3]) / 1024
    alone.stop()
    verdict = "yes" if peak <= question.peak else "NO"
    return [f"{question.what}: memory", f"{peak:.1f} MiB", "", "", "", f"≤ {question.peak} MiB", "", verdict]


def alone_rows(ours, only, quick):
    for name, what, task, size, rate, seconds, mib in ALONE:
        if (only and name not in only) or (quick and seconds):
            continue
        worker = Worker([ours])
        took, items, _, peak = worker.ask(task.format(size))
        worker.stop()
        took, peak = float(took), int(peak) / 1024
        if rate:
            got = int(items) / took
            yield [what, f"{number(got)} answers/s", "", "", "", f"{number(rate)} a second", "",
                   "yes" if got >= rate else "NO"]
        if seconds:
            yield [what, f"{took:.1f} CPU-s, {peak:.1f} MiB", "", "", "",
                   f"{seconds} CPU-s, {mib} MiB", "", "yes" if took <= seconds and peak <= mib else "NO"]


def machine(pool):
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as info:
            fields = dict(line.split(":", 1) for line in info if line.strip() and ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        name = fields.get("model name", name)
        if "cpu family" in fields:
            name += f" (family {fields['cpu family']}, model {fields['model']})"
        flags = fields.get("flags", "").split()
        wanted = ["avx2", "vaes", "avx512f", "avx512_vpopcntdq", "sha_ni"]
        name += ", " + " ".join(flag for flag in wanted if flag in flags)
    rust = subprocess.run(["rustc", "-V"], capture_output=True, text=True, check=False).stdout.strip()
    numpy = pool["numpy"].ask("version")[2]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        f"{datetime.date.today()}, {name}, {os.cpu_count()} processors, load {load}",
        f"{rust}; Python {platform.python_version()}, NumPy {numpy}",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", required=True, help="the program fixname-compare")
    parser.add_argument("--quick", action="store_true", help="small sizes: minutes, same ratios")
    parser.add_argument("--only", default="", help="names of comparisons, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    only = [name for name in arguments.only.split(",") if name]
    known = [question.name for question in comparisons()] + [row[0] for row in ALONE]
    if unknown := set(only) - set(known):
        parser.error(f"no comparison {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    pool = workers(arguments.ours)
    try:
        print("\n".join(machine(pool)) + "\n")
        line = "| " + " | ".join(["{}"] * 8) + " |"
        print(line.format("question", "fixname", "other", "other's rate", "ratio", "must", "aim", "reached"))
        print(line.format(*["---"] * 8), flush=True)
        missed = 0
        def show(row):
            nonlocal missed
            missed += row[-1] == "NO"
            print(line.format(*row), flush=True)
        for question in comparisons():
            if only and question.name not in only:
                continue
            for row in rows(question, compare(question, pool, arguments.rounds, arguments.quick)):
                show(row)
            if question.peak:
                show(peak_row(question, arguments.ours, arguments.quick))
            # Nobody keeps the memory that the next one may need.
            for worker in pool.values():
                worker.stop()
        for row in alone_rows(arguments.ours, only, arguments.quick):
            show(row)
    finally:
        for worker in pool.values():
            worker.stop()
    print(f"\n{missed} of the ratios that must be are missed." if missed else "\nEvery ratio that must be is there.")
    sys.exit(1 if missed else 0)


main()
