"""Model cards: what a trained network is, what it was trained on, how good it is and what it cost, for people and for
programs.

One JSON file, and a Markdown file that says the same. Source: Mitchell et al. 2019, "Model cards for model reporting";
of its sections, those that a run can know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from alphaxenas.data.images import ImageData
from alphaxenas.networks.export.litert import report_of
from alphaxenas.runs.files import read_json, write_atomically, write_json
from alphaxenas.runs.folder import RunFolder

DATA_PARAMETERS = ("fraction", "augment", "mirror", "image_size")


def model_card(
    model: Mapping[str, Any], results: Mapping[str, Any], data: ImageData, folder: RunFolder
) -> dict[str, Any]:
    """The card of one trained network.

    Args:
        model: Its record in `results["models"]`.
        results: Of the stage that trained it; see `full_training.train_in_full`.
        data: What it was trained on.
        folder: The stage's run folder.

    Returns:
        JSON values; `numbers["test_accuracy"]` is None for a network that was never tested, because validation chose
        another one.
    """
    run: Any = read_json(folder.path / "run.json")
    chosen = results["models"][results["chosen"]]["name"] == model["name"]
    parameters = run["parameters"]
    # A network to compare with was tested, too; its own record says how.
    tested = results if chosen else model
    return {
        "name": model["name"],
        "run": folder.name,
        "architecture": {"text": model["architecture"], "json": model["architecture_json"]},
        "network": {"parameters": model["parameters"], "multiply_adds": model["multiply_adds"]},
        "data": {
            "name": data.name,
            "images": {"training": len(data.train), "validation": len(data.validation), "test": len(data.test)},
            "image_shape": list(data.image_shape),
            "classes": list(data.class_names),
            **{name: parameters[name] for name in DATA_PARAMETERS if name in parameters},
        },
        "input": "float32 [batch, height, width, channels], pixels 0 to 255, as stored; the model normalises them",
        "output": f"float32 [batch, {data.num_classes}], probabilities of the classes in the order given",
        "training": {
            name: value for name, value in parameters.items() if name.startswith("train_") or name == "warmup_epochs"
        },
        "numbers": {
            "validation_accuracy": model["validation_accuracy"],
            "best_epoch": model["best_epoch"],
            "test_accuracy": tested.get("test_accuracy"),
            "test_accuracy_of_views": tested.get("test_accuracy_of_views"),
            "test_interval_95": _interval(tested["test_accuracy"], results["test_images"])
            if "test_accuracy" in tested
            else None,
        },
        "cost": {
            "seconds": model["seconds"],
            "epochs": model["epochs"],
            "images": sum(record["images"] for record in model["history"]),
        },
        "seed": run["seed"],
        "versions": run["versions"],
        "machine": run["machine"],
        "revision": run["revision"],
        "files": {
            path.name: _digest(path)
            for path in sorted((folder.path / "models").glob(f"{model['name']}.*"))
            if path.suffix in (".keras", ".onnx", ".tflite")
        },
        "litert": read_json(report_of(folder.path / "models" / f"{model['name']}.keras")),
    }


def write_model_card(card: Mapping[str, Any], place: Path) -> None:
    """Writes `<name>.card.json` and `<name>.card.md`.

    Args:
        card: As `model_card` returns it.
        place: An existing folder.
    """
    write_json(place / f"{card['name']}.card.json", dict(card))
    write_atomically(place / f"{card['name']}.card.md", markdown(card).encode())


def markdown(card: Mapping[str, Any]) -> str:
    """The card for people."""
    numbers, data, cost, training = card["numbers"], card["data"], card["cost"], card["training"]
    if numbers["test_accuracy"] is None:
        tested = "not tested: validation chose another network, and test images are used once"
    else:
        low, high = numbers["test_interval_95"]
        tested = (
            f"**{numbers['test_accuracy']:.4f}** on {data['images']['test']:,} images "
            f"(95 % interval from their number alone: {low:.4f} to {high:.4f})"
        )
        if numbers.get("test_accuracy_of_views"):
            tested += f"; {numbers['test_accuracy_of_views']:.4f} with the mean over six views of every image"
    machine = (card["machine"]["processor"], f"{card['machine']['cores']} cores", *card["machine"]["gpus"])
    height, width, channels = data["image_shape"]
    sizes, classes, size = data["images"], data["classes"], card["network"]
    text = f"""# {card["name"]} of run {card["run"]}

Classifies images of {height}x{width} pixels, {channels} channel(s), into {len(classes)} classes: {", ".join(classes)}.

- Architecture: `{card["architecture"]["text"]}`
- Size: {size["parameters"]:,} parameters, {size["multiply_adds"] / 1e6:.1f} million multiply-adds an image
- Input: {card["input"]}
- Output: {card["output"]}

## How good it is

- Test accuracy: {tested}
- Validation accuracy: {numbers["validation_accuracy"]:.4f}, the best of {cost["epochs"]} epochs \
(epoch {numbers["best_epoch"]}), which chose it: a little too high for that
- One training with one seed: says nothing of the spread over trainings.

## What it was trained on

- Data: {data["name"]}, {sizes["training"]:,} images for training, {sizes["validation"]:,} for validation, \
{sizes["test"]:,} for test
- Cost: {cost["seconds"] / 60:.1f} minutes for {cost["epochs"]} epochs, {cost["images"]:,} images shown, on \
{", ".join(map(str, machine))}
- Seed: {card["seed"]}
"""
    if card.get("litert"):
        text += "\n## On devices: LiteRT\n\n"
        text += "".join(_litert_line(f"{card['name']}.{kind}.tflite", found) for kind, found in card["litert"].items())
    files = {name: f"SHA-256 {digest}" for name, digest in card["files"].items()}
    versions = {**card["versions"], "revision": card["revision"]}
    recipe = {name: json.dumps(value) for name, value in training.items()}
    for heading, values in (("Recipe", recipe), ("Versions", versions), ("Files", files)):
        text += f"\n## {heading}\n\n" + "".join(f"- {name}: {value}\n" for name, value in values.items())
    return (
        f"{text}\nIt knows the classes above and nothing else: an image of something else gets one of them too. "
        "Accuracy on other images than the data set's was not measured.\n"
    )


def _litert_line(name: str, found: Mapping[str, Any]) -> str:
    if "error" in found:
        return f"- {name}: cannot be converted, {found['error']}\n"
    accuracy = f"test accuracy {found['test_accuracy']:.4f}" if "test_accuracy" in found else "not tested"
    return (
        f"- {name}: {found['bytes']:,} bytes, {accuracy}, {found['milliseconds']:.3g} ms an image (median, one thread, "
        f"{found['runtime']})\n"
    )


def _interval(accuracy: float, images: int) -> list[float]:
    """Wilson's 95 % interval of an accuracy on so many images."""
    found = binomtest(round(accuracy * images), images).proportion_ci(method="wilson")
    return [float(found.low), float(found.high)]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
