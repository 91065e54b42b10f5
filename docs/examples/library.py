"""Learn words from photos, vary them, generate images and weight them: python library.py PHOTOS MODELS STEPS

PHOTOS holds train-val/<class>/ and test/<class>/; MODELS holds stable_diffusion/ and resnet/.
"""

import sys
from pathlib import Path

import torch

from diagen.cells import Cell
from diagen.classifiers.cell_images import arrange
from diagen.config import BackboneModel, DiffusionModel, Embedding, GuideClassifier, ImageFolder, programs
from diagen.data.index import index_dataset
from diagen.data.shots import draw_shots
from diagen.embeddings.inversion import encode_classes, learn_words
from diagen.generation.fill import generate, image_names, manifest_of
from diagen.generation.plan import plan_generation
from diagen.guide_classifiers.scoring import score_images
from diagen.guide_classifiers.training import train_guide_classifier
from diagen.images import load_image
from diagen.models.backbones import load_backbone
from diagen.models.diffusion import load_diffusion

photos, models, steps, store = *sys.argv[1:3], int(sys.argv[3]), Path("images")
inference = {"micro_batch": 4, "device": torch.device("cuda" if torch.cuda.is_available() else "cpu")}
model = DiffusionModel(path=f"{models}/stable_diffusion", image_size=64)  # 512 for Stable Diffusion v1-4
diffusion, cell = load_diffusion(model, inference["device"]), Cell("photos", seed=0, shots=2)
shots = draw_shots(
    index_dataset(ImageFolder(adapter="image_folder", root=photos)).images, **cell._asdict(), guide_pool=2
)

guides = {shot.class_name: [] for shot in shots}
for shot in [shot for shot in shots if shot.role == "guide"]:
    guides[shot.class_name].append(load_image(shot.path))
classes = encode_classes(diffusion, guides, cell, crop="squash", micro_batch=4)
words = {word.class_name: word.vectors for word in learn_words(diffusion, classes, Embedding(steps=steps))}

noise = programs.PlanGenerationSettings(images_per_guide=2, noise_levels=(0.005, 0.025))
plan = plan_generation(shots, None, noise, cell)  # None: every prompt is "a photo of a <class>"
generation = programs.GenerateImagesSettings(strength=0.7, guidance_scale=15, inference_steps=50, diffusion=model)
names = image_names(plan, words, generation)
generate(diffusion, list(zip(plan, names, strict=True)), words, generation, store, micro_batch=4)
manifest, _ = manifest_of(plan, names, store)

resnet = {"backbone": BackboneModel(path=f"{models}/resnet"), "image_size": 64}
backbone = load_backbone(resnet["backbone"], inference["device"])
training = programs.TrainGuideClassifierSettings(guide_classifier=GuideClassifier(epochs=2, iterations=10), **resnet)
judge = train_guide_classifier(backbone, arrange(shots, Path(photos)), training, cell, **inference)
scoring = programs.ScoreImagesSettings(transform="confidence", normalize="guide_image", **resnet)
scored = (judge.trained.head, judge.calibration.temperature, manifest, scoring)
for row in score_images(backbone, *scored, manifest=Path(photos), store=store, **inference):
    print(f"{store / row.file_name}: confidence {row.confidence:.2f}, weight {row.weight:.2f}")
