"""What is optimised and how it becomes a picture."""

import numpy as np
import pytest
import torch
from conftest import RGB
from PIL import Image

import vizkit
from vizkit import VizkitError
from vizkit.images import as_photo, from_picture, tile, to_pictures


def bytes_of(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# Pictures.


def test_a_picture_of_bytes_comes_back_the_same(rgb):
    picture = bytes_of(32, 32, 3)
    picture[0, :, 0], picture[1, :, 1] = np.arange(32), np.arange(224, 256)
    assert np.array_equal(to_pictures(rgb, from_picture(rgb, picture))[0], picture)


def test_a_gray_network_sees_gray_and_is_shown_in_three_equal_channels(gray):
    picture = bytes_of(28, 28)
    for given in (picture, picture[:, :, None], np.stack([picture] * 3, axis=2)):
        image = from_picture(gray, given)
        assert image.shape == (1, 1, 28, 28)
        assert np.array_equal(to_pictures(gray, image)[0], np.stack([picture] * 3, axis=2))


def test_a_picture_is_normalised_channel_by_channel(rgb):
    image = from_picture(rgb, np.full((32, 32, 3), (255, 0, 102), np.uint8)).numpy()
    expected = (np.array([1, 0, 0.4]) - RGB["mean"]) / RGB["std"]
    assert np.allclose(image, expected.reshape(1, 3, 1, 1), atol=1e-6)


def test_bytes_values_in_0_to_1_pil_images_and_files_are_the_same_picture(rgb, tmp_path):
    picture = bytes_of(32, 32, 3)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    expected = from_picture(rgb, picture)
    file = tmp_path / "photo.png"
    for same in (picture / 255, np.moveaxis(picture / 255, 2, 0), Image.fromarray(picture), str(file), file):
        assert torch.equal(from_picture(rgb, same), expected)


@pytest.mark.parametrize("shape", [(60, 45), (1, 7), (7, 1)], ids=str)
def test_a_picture_of_any_size_keeps_its_colour_in_the_networks_size(rgb, shape):
    pictures = to_pictures(rgb, from_picture(rgb, np.full((*shape, 3), (200, 30, 60), np.uint8)))
    assert pictures.shape == (1, 32, 32, 3)
    assert (pictures == (200, 30, 60)).all()


def test_what_lies_beyond_black_and_white_is_cut_off(rgb):
    beyond = torch.cat([rgb.low - 1, rgb.high + 1]).expand(2, 3, 32, 32)
    pictures = to_pictures(rgb, beyond)
    assert (pictures[0] == 0).all()
    assert (pictures[1] == 255).all()


def test_a_photo_is_cropped_in_its_middle_not_distorted(rgb):
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, 32:96] = (200, 30, 60)
    for photo in (wide, wide.swapaxes(0, 1)):
        assert (to_pictures(rgb, from_picture(rgb, photo))[0, 2:-2, 2:-2] == (200, 30, 60)).all()


def test_a_photo_is_turned_upright_as_its_camera_says(tmp_path):
    left = np.zeros((20, 40, 3), np.uint8)
    left[:, :20] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: shown after a quarter turn clockwise
    Image.fromarray(left).save(tmp_path / "photo.png", exif=turned)
    photo = np.array(as_photo(tmp_path / "photo.png"))
    assert photo.shape == (40, 20, 3)
    assert (photo[:20] == 255).all()
    assert not photo[20:].any()


def test_files_of_every_kind_are_the_same_photo(tmp_path):
    shades = np.linspace(0, 255, 32).round().astype(np.uint8)[None].repeat(32, axis=0)
    expected = np.stack([shades] * 3, axis=2)
    gray = Image.fromarray(shades)
    clear = Image.new("LA", (32, 32), (0, 0))  # black that nobody sees
    files = {
        "gray.png": gray,
        "16-bit.png": Image.fromarray(shades.astype(np.uint16) * 257),
        "32-bit.tif": Image.fromarray(shades.astype(np.int32) * 257),
        "float.tif": Image.fromarray(shades.astype(np.float32) / 255),
        "palette.png": gray.convert("P"),
        "cmyk.tif": Image.fromarray(expected).convert("CMYK"),
        "opaque.png": gray.convert("RGBA"),
        "transparent.png": clear,
        "transparent.gif": clear.convert("RGBA"),
        "black-and-white.png": Image.new("1", (32, 32), 1),
    }
    for name, image in files.items():
        image.save(tmp_path / name)
        white = name.startswith(("transparent", "black"))
        assert np.array_equal(as_photo(tmp_path / name), np.full_like(expected, 255) if white else expected), name


@pytest.mark.parametrize("kind", ["RGB", "L", "I;16", "F", "P", "CMYK", "RGBA", "LA", "1"])
def test_a_file_of_very_many_pixels_is_the_same_photo_made_smaller(tmp_path, kind):
    shades = np.zeros((3000, 6000), np.uint8)
    shades[:, 3000:] = 255  # white at the right
    image = Image.fromarray(shades)
    image = Image.fromarray(shades.astype(np.uint16) * 257) if kind == "I;16" else image.convert(kind)
    path = tmp_path / ("huge.png" if kind not in ("F", "CMYK") else "huge.tif")
    (Image.fromarray(shades.astype(np.float32) / 255) if kind == "F" else image).save(path)
    photo = np.array(as_photo(path))
    assert photo.shape == (1024, 2048, 3)
    assert (photo[:, :1000] == 0).all()
    assert (photo[:, 1048:] == 255).all()


@pytest.mark.parametrize("content", [None, b"", b"no picture", "half"], ids=str)
def test_a_file_that_is_no_picture_is_an_error_that_names_it(rgb, tmp_path, content):
    path = tmp_path / "holiday.png"
    if content == "half":
        Image.fromarray(bytes_of(64, 64, 3)).save(path)
        content = path.read_bytes()[:5000]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VizkitError, match=r"holiday\.png cannot be read as a picture"):
        from_picture(rgb, path)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (bytes_of(32, 32, 3).astype(np.int64) + 1, "int64.*256"),
        (np.random.rand(4, 32, 32), r"shape.*\(4, 32, 32\)"),
        ([["a", "b"]], "<U1"),
        (bytes_of(32, 32, 4), r"shape.*\(32, 32, 4\)"),
        (bytes_of(2, 32, 32, 3), r"shape.*\(2, 32, 32, 3\)"),
        (bytes_of(32), r"shape.*\(32,\)"),
        (np.zeros((0, 32, 3)), "shape"),
        (np.zeros((0, 32, 3), np.uint8), "shape"),
        (bytes_of(32, 32, 3).astype(float), r"\[0, 1\].*float64.*Divide by 255"),
        (np.full((32, 32), -0.1), r"\[0, 1\]"),
        (np.full((32, 32), np.nan), r"\[0, 1\]"),
        (7, "shape"),
        (None, "shape"),
    ],
    ids=[
        "more than bytes",
        "four channels first",
        "letters",
        "RGBA",
        "a batch",
        "one row",
        "empty",
        "no bytes",
        "bytes as floats",
        "negative",
        "NaN",
        "a number",
        "None",
    ],
)
def test_what_is_no_picture_is_an_error_that_says_what_one_is(rgb, picture, message):
    with pytest.raises(VizkitError, match=message):
        from_picture(rgb, picture)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64], ids=str)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 3, 32, 32), (2, 3, 32, 32), (3, 40, 50)], ids=str)
def test_a_tensor_of_whole_numbers_is_a_picture(rgb, shape, dtype):
    """As torchvision and vizkit's own data sets have them; what is zero-centred has a point."""
    picture = torch.from_numpy(bytes_of(*shape)).to(dtype)
    one = [Image.fromarray(each.permute(1, 2, 0).byte().numpy()) for each in picture.reshape(-1, *shape[-3:])]
    expected = torch.cat([from_picture(rgb, each) for each in one])
    start = vizkit.ascend(rgb, [0] * len(one), start=picture, steps=1).start_image
    assert torch.allclose(start, expected, atol=1e-6)
    assert start.min() >= rgb.low.min() - 1e-6
    assert start.max() <= rgb.high.max() + 1e-6


def test_a_tensor_of_bytes_of_one_channel_or_of_none(gray):
    picture = torch.from_numpy(bytes_of(28, 28))
    for shape in ((28, 28), (1, 28, 28), (1, 1, 28, 28)):
        start = vizkit.ascend(gray, 0, start=picture.reshape(shape), steps=1).start_image
        assert np.array_equal(to_pictures(gray, start)[0, :, :, 0], picture)


def test_whole_numbers_beyond_bytes_are_refused(rgb):
    for value in (-1, 256):
        with pytest.raises(VizkitError, match=str(value)):
            vizkit.ascend(rgb, 0, start=torch.full((1, 3, 32, 32), value))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_a_network_of_any_number_of_channels_grows_and_is_shown(make_cnn, channels):
    net = vizkit.Classifier(make_cnn(channels, 4), size=16, mean=0.5, std=0.25, device="cpu")
    ascent = vizkit.ascend(net, 2, steps=3, learning_rate=0.1).run()
    assert ascent.image.shape == (1, channels, 16, 16)
    assert ascent.history[-1].score > ascent.history[0].score
    levels = (net.denormalise(ascent.image)[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    shown = {1: [0, 0, 0], 2: [0, 1]}.get(channels, [0, 1, 2])
    assert np.array_equal(ascent.picture[:, :, : len(shown)], levels[:, :, shown])
    assert channels != 2 or not ascent.picture[:, :, 2].any()
    for recipe in ("vizkit", "small", "lucid", "cs231n"):
        assert vizkit.ascend(net, 2, recipe=recipe, steps=2).run().picture.shape[2] == 3
    own = torch.full((1, channels, 16, 16), 200, dtype=torch.uint8)
    assert torch.allclose(vizkit.ascend(net, 2, start=own, steps=1).start_image, net.normalise(own / 255))
    if channels not in (1, 3):
        with pytest.raises(VizkitError, match=f"{channels} channels"):
            vizkit.ascend(net, 2, start=bytes_of(16, 16, 3))


def test_a_tile_lays_pictures_out_row_by_row():
    pictures = bytes_of(3, 4, 5, 3)
    sheet = tile(pictures, columns=2, gap=1)
    assert sheet.shape == (9, 11, 3)
    assert np.array_equal(sheet[:4, 6:], pictures[1])
    assert np.array_equal(sheet[5:, :5], pictures[2])
    assert (sheet[5:, 6:] == 255).all()
    assert (sheet[4] == 255).all()


# The Fourier basis.


@pytest.fixture(scope="module", params=[(12, 16), (15, 11)], ids=str)
def colour(request, make_cnn):
    return vizkit.Classifier(make_cnn(3, 4), **(RGB | {"size": request.param}), device="cpu")


# Lucid's root of the colour covariance of natural pictures (lucid/optvis/param/color.py).
COLOUR = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


def decoded(net, parameters, exponent, decorrelate):
    """The definition, in numpy: weigh by 1 / f^exponent, go back to pixels, mix the colours, squash, normalise."""
    height, width = net.height, net.width
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency = np.maximum(frequency, 1 / max(height, width))
    scale = 1 / frequency**exponent
    scale *= np.sqrt(np.mean(1 / frequency**2) / np.mean(scale**2))  # as strong, over all, as exponent 1
    values = np.fft.irfft2((parameters[..., 0] + 1j * parameters[..., 1]) * scale, (height, width), norm="ortho") / 4
    if decorrelate:
        values = np.einsum("oc,bchw->bohw", COLOUR / np.linalg.norm(COLOUR, axis=0).max(), values)
    mean, std = (np.reshape(RGB[name], (3, 1, 1)) for name in ("mean", "std"))
    return (1 / (1 + np.exp(-values)) - mean) / std


@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_fourier_decodes_as_it_is_defined(colour, exponent, decorrelate):
    parameters = torch.randn(2, 3, colour.height, colour.width // 2 + 1, 2, generator=torch.Generator().manual_seed(0))
    image = vizkit.Fourier(exponent=exponent, decorrelate=decorrelate).decode(colour, parameters)
    expected = decoded(colour, parameters.numpy().astype(np.float64), exponent, decorrelate)
    assert np.allclose(image, expected, atol=1e-4)


@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("exponent", [0.5, 2.0])
def test_fourier_encodes_what_it_decodes_to_the_same_image(colour, exponent, decorrelate):
    basis = vizkit.Fourier(exponent=exponent, decorrelate=decorrelate)
    image = from_picture(colour, bytes_of(colour.height, colour.width, 3) // 2 + 60)
    assert torch.allclose(basis.decode(colour, basis.encode(colour, image)), image, atol=1e-4)


def test_fourier_encodes_black_and_white_to_numbers_that_are_finite(colour, gray):
    for net in (colour, gray):
        basis, extremes = vizkit.Fourier(), torch.cat([net.low, net.high]).expand(2, -1, net.height, net.width)
        parameters = basis.encode(net, extremes)
        assert parameters.isfinite().all()
        pictures = to_pictures(net, basis.decode(net, parameters))
        assert pictures[0].max() <= 1
        assert pictures[1].min() >= 254


@pytest.mark.parametrize("exponent", [0.5, 1, 2])
def test_a_frequency_twice_as_fine_comes_through_weaker_by_two_to_the_exponent(gray, exponent):
    def response(across):
        parameters = torch.zeros(1, 1, 28, 15, 2)
        parameters[0, 0, 0, across, 0] = 1e-2  # so small that the sigmoid is linear
        return float(gray.denormalise(vizkit.Fourier(exponent=exponent).decode(gray, parameters)).std())

    assert response(2) / response(4) == pytest.approx(2**exponent, rel=1e-3)


def test_a_random_start_is_normal_noise_of_the_spread_asked_for(gray):
    def draw(basis, seed):
        return basis.random(gray, torch.Generator().manual_seed(seed))

    for basis in (vizkit.Pixels(spread=0.3), vizkit.Fourier(spread=0.3)):
        assert float(draw(basis, 0).std()) == pytest.approx(0.3, rel=0.1)
        assert float(draw(basis, 0).mean()) == pytest.approx(0, abs=0.05)
        assert torch.equal(draw(basis, 0), draw(basis, 0))
        assert not torch.equal(draw(basis, 0), draw(basis, 1))
