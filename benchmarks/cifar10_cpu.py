"""Search and final training on real CIFAR-10 on two CPU cores: profile `cifar10-cpu`, one seed.

    python -m benchmarks.cifar10_cpu [--run cifar10-cpu] [--architecture airbench93] [--seed 0] [--record]

The run is stored in exp/<run>/ and continued or reused when it is there. Prints JSON last: test accuracy of the
searched network with one view of every image and with six, validation accuracies, and minutes of search and final
training as recorded by the run itself.
"""

from __future__ import annotations

import time

from benchmarks.record import finish, parser


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--run", default="cifar10-cpu")
    arguments.add_argument("--architecture", default="", help="train this one, without a search")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--data-dir", default="data")
    options, started = arguments.parse_args(), time.perf_counter()

    from alphaxenas.config import from_values, load_profile
    from alphaxenas.networks.devices import prepare_tensorflow

    given = {"run": options.run, "seed": options.seed, "data_dir": options.data_dir}
    given |= {"architecture": options.architecture}
    config = from_values({**load_profile("cifar10-cpu"), **given})
    prepare_tensorflow(config.run.threads, config.run.memory_growth)

    from alphaxenas.pipelines.factory import load_images
    from alphaxenas.pipelines.final import train_best
    from alphaxenas.pipelines.search import search

    data = load_images(config)
    found = {"trained": 0, "seconds": 0.0}
    if not options.architecture:
        found = search(config, "alphaxenas", config.run.seed, data)
    final = train_best(config, data)
    model = final["models"][final["chosen"]]
    figures = {
        "run": options.run,
        "seed": options.seed,
        "test_accuracy": final["test_accuracy"],
        "test_accuracy_of_views": final["test_accuracy_of_views"],
        "test_images": final["test_images"],
        "validation_accuracy": model["validation_accuracy"],
        "architecture": model["architecture"],
        "parameters": model["parameters"],
        "multiply_adds": model["multiply_adds"],
        "trained_children": found["trained"],
        "search_minutes": found["seconds"] / 60,
        "training_minutes": final["seconds"] / 60,
        "minutes": (found["seconds"] + final["seconds"]) / 60,
    }
    finish("cifar10_cpu", options.record, started, figures, name=f"cifar10_cpu_{options.architecture or 'searched'}")


if __name__ == "__main__":
    main()
