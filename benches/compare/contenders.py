"""What people do today, in Python and NumPy: one task a line, as the binary.

Each line read is `TASK NUMBER...`; the line written back has the CPU seconds
of the thread, the items, a number to check, and the peak memory (KiB).
"""

import decimal
import hashlib
import sys
import time
import uuid
from collections import defaultdict

IMAGE = "longhornio/backing-image-manager:v1.10.2"


def script(disks, clusters):
    """The style of the knowledge base's script: group UUIDs by four digits."""
    collided = 0
    for _ in range(clusters):
        held = defaultdict(list)
        for disk in range(disks):
            text = str(uuid.uuid4())
            held[text[:4]].append((f"node-{disk}", "disk-1", text))
        collided += any(len(group) > 1 for group in held.values())
    return disks * clusters, collided / clusters


def names(count):
    seen = set()
    for _ in range(count):
        text = f"{IMAGE}-{uuid.uuid4()}"
        seen.add(hashlib.sha224(text.encode()).hexdigest())
    return count, count - len(seen)


def decimal_odds(bits, disks, times):
    """As bdayprob does where it is exact: a product of decimal fractions."""
    decimal.getcontext().prec = 50
    classes = decimal.Decimal(2) ** bits
    for _ in range(times):
        none = decimal.Decimal(1)
        for disk in range(1, disks):
            none *= (classes - disk) / classes
    return times, float(1 - none)


def numpy_tasks():
    import numpy as np

    # The fastest of NumPy's generators, in its fastest form.
    rng = np.random.Generator(np.random.SFC64(1))

    def words(count):
        return rng.integers(0, 2**64, dtype=np.uint64, size=count)

    def rows(disks, clusters):
        """Batches of clusters that stay in the second-level cache."""
        batch = max(4, 400_000 // disks // 4 * 4)
        done = 0
        while done < clusters:
            now = min(batch, clusters - done)
            done += now
            prefixes = words((now * disks + 3) // 4).view(np.uint16)
            yield prefixes[: now * disks].reshape(now, disks)

    def row_sort(disks, clusters):
        collided = 0
        for prefixes in rows(disks, clusters):
            prefixes.sort(axis=1)
            equal = prefixes[:, 1:] == prefixes[:, :-1]
            collided += np.count_nonzero(equal.any(axis=1))
        return disks * clusters, collided / clusters

    def unique(disks, clusters):
        collided = 0
        for prefixes in rows(disks, clusters):
            for cluster in prefixes:
                collided += len(np.unique(cluster)) < disks
        return disks * clusters, collided / clusters

    def curve(clusters):
        """Prefix and place in one word: equal neighbours are a collision, and
        the first one is where the smallest of the later places is."""
        most = 2048
        place = np.arange(most, dtype=np.uint32)
        first = np.zeros(most + 1, dtype=np.int64)
        for prefixes in rows(most, clusters):
            keys = prefixes.astype(np.uint32)
            keys <<= 11
            keys |= place
            keys.sort(axis=1)
            later = keys[:, 1:]
            equal = (later ^ keys[:, :-1]) < most
            at = np.where(equal, later & (most - 1), most).min(axis=1)
            first += np.bincount(at, minlength=most + 1)
        return clusters, first[:302].sum() / clusters

    def groups(count):
        keys = words(count)
        keys.sort()
        return count, int(np.count_nonzero(keys[1:] == keys[:-1]))

    return {
        "row-sort": row_sort,
        "unique": unique,
        "curve": curve,
        "groups": groups,
        "version": lambda: (1, np.__version__),
    }


def peak_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def main():
    tasks = {"script": script, "names": names, "decimal": decimal_odds}
    if sys.argv[1:] == ["numpy"]:
        tasks = numpy_tasks()
    for line in sys.stdin:
        task, *numbers = line.split()
        before = time.thread_time()
        items, check = tasks[task](*map(int, numbers))
        seconds = time.thread_time() - before
        print(seconds, items, check, peak_kib(), flush=True)


main()
