"""Networks as people bring them, from the libraries that they come from: each works as it is, without a word."""

import warnings

import pytest
import torch
from torch import nn

import vizkit

pytestmark = pytest.mark.libraries
USUAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "device": "cpu"}
TIMM = [
    "convnext_atto",
    "densenet121",
    "edgenext_xx_small",
    "efficientvit_b0",
    "eva02_tiny_patch14_224",
    "fastvit_t8",
    "levit_128s",
    "lcnet_050",
    "mobilevit_xxs",
    "nf_regnet_b0",
    "poolformer_s12",
    "regnetx_002",
    "repvgg_a0",
    "vit_tiny_patch16_224",
    "xcit_nano_12_p16_224",
]
TORCHVISION = [
    "resnet18",
    "mobilenet_v3_small",
    "shufflenet_v2_x0_5",
    "mnasnet0_5",
    "regnet_y_400mf",
    "swin_t",
    "googlenet",
]


def works(make, classes, **options):
    """Makes it with random weights, and a class model of it; the oracle is the module itself."""
    with torch.random.fork_rng(), warnings.catch_warnings():
        torch.manual_seed(0)
        warnings.simplefilter("ignore")  # of the libraries
        module = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        net = vizkit.Classifier(module, **(USUAL | options))
    images = net.normalise(torch.rand(2, 3, net.height, net.width, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():
        expected = module.eval()(images)
        expected = getattr(expected, options["scores"]) if "scores" in options else expected
        torch.testing.assert_close(net(images), expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert len(net.labels) == classes
    assert vizkit.ascend(net, 1, steps=1).run().image.isfinite().all()


@pytest.mark.parametrize("name", TIMM)
@pytest.mark.filterwarnings("ignore:class 1 has not moved")  # untrained, some give no slope that counts
def test_timm(name):
    import timm

    works(lambda: timm.create_model(name, num_classes=7), 7, size=timm.models.get_pretrained_cfg(name).input_size[-1])


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.filterwarnings("ignore:class 1 has not moved")
def test_torchvision(name):
    from torchvision.models import get_model

    more = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    works(lambda: get_model(name, weights=None, num_classes=7, **more), 7, size=224)


def of_transformers():
    import transformers as t

    narrow = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return {
        "vit": lambda: t.ViTForImageClassification(t.ViTConfig(**narrow, image_size=32, patch_size=8, num_labels=7)),
        "beit": lambda: t.BeitForImageClassification(t.BeitConfig(**narrow, image_size=32, patch_size=8, num_labels=7)),
        "resnet": lambda: t.ResNetForImageClassification(
            t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=7)
        ),
        "convnext": lambda: t.ConvNextForImageClassification(
            t.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=7)
        ),
        "swin": lambda: t.SwinForImageClassification(
            t.SwinConfig(
                image_size=32, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4, num_labels=7
            )
        ),
    }


@pytest.mark.parametrize("name", ["vit", "beit", "resnet", "convnext", "swin"])
def test_transformers(name):
    works(of_transformers()[name], 7, size=32, scores="logits")


@pytest.mark.parametrize("fitted", [False, True])
def test_lightning(fitted, tmp_path):
    import lightning

    class Lit(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
            self.head, self.loss = nn.Sequential(nn.Flatten(), nn.Linear(32, 7)), nn.CrossEntropyLoss()

        def forward(self, x):
            return self.head(self.net(x))

        def training_step(self, batch):
            return self.loss(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def make():
        module = Lit()
        if fitted:
            pairs = torch.utils.data.TensorDataset(torch.randn(4, 3, 32, 32), torch.arange(4))
            data = torch.utils.data.DataLoader(pairs, batch_size=4)
            quiet = dict.fromkeys(
                ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
            )
            lightning.Trainer(max_epochs=1, accelerator="cpu", default_root_dir=tmp_path, **quiet).fit(module, data)
        return module

    works(make, 7, size=32)
