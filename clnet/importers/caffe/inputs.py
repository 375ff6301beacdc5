"""What shape a net's input has, as far as the prototxt says."""

from __future__ import annotations

from clnet.errors import ModelError
from clnet.importers.caffe.message import Message
from clnet.importers.caffe.network import Layer, dimensions
from clnet.importers.names import shown


def declared_shape(layer: Layer, top: int) -> tuple[int, ...]:
    """The shape of an Input layer's or a data layer's ``top``.

    The batch of a data layer is 1: what training took at once means nothing later. Raises
    ModelError where the file leaves the shape open.
    """
    if layer.type == "Input":
        found = _of_each_top(layer.fields.message("input_param"), top)
    elif layer.type == "DummyData":
        found = _of_each_top(layer.fields.message("dummy_data_param"), top)
    else:
        found = _of_image(layer) if top == 0 else None
    if not found:
        name = shown(layer.tops[top])
        raise ModelError(f"the input {name} has no shape; pass input_shapes={{{name}: (…)}}")
    return found


def _of_each_top(param: Message, top: int) -> tuple[int, ...] | None:
    """One shape for all tops, or one for each; in the four fields of old, too."""
    shapes = [dimensions(s) for s in param.messages("shape")]
    if not shapes:
        old = [param.integers(f, 0) for f in ("num", "channels", "height", "width")]
        shapes = list(zip(*old, strict=False))
    if not shapes:
        return None
    return shapes[0] if len(shapes) == 1 else shapes[top] if top < len(shapes) else None


def _of_image(layer: Layer) -> tuple[int, ...] | None:
    """[1, C, H, W] of the photos that a data layer would have read."""
    fields = layer.fields
    memory = fields.message("memory_data_param")
    if layer.type == "MemoryData":
        return (1, *(memory.integer(f, None, 1) for f in ("channels", "height", "width")))
    transform = fields.message("transform_param")
    size = _size(fields, transform)
    channels = _channels(layer, transform)
    return (1, channels, *size) if size and channels else None


def _size(fields: Message, transform: Message) -> tuple[int, int] | None:
    resize = transform.message("resize_param")
    if resize.has("height") and resize.has("width"):
        return resize.integer("height"), resize.integer("width")
    for source in ("transform_param", "data_param", "image_data_param", "window_data_param"):
        param = fields.message(source)
        if param.integer("crop_size", 0):  # all but the first are where it stood in 2013
            return param.integer("crop_size"), param.integer("crop_size")
    image = fields.message("image_data_param")
    if image.integer("new_height", 0) and image.integer("new_width", 0):
        return image.integer("new_height"), image.integer("new_width")
    return None


def _channels(layer: Layer, transform: Message) -> int | None:
    means = len(transform.reals("mean_value"))
    if means > 1 or transform.flag("force_gray"):
        return max(1, means)
    if layer.type == "ImageData":
        return 3 if layer.fields.message("image_data_param").flag("is_color", True) else 1
    return 3 if transform.flag("force_color") else None
