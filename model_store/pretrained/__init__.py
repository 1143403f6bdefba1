"""Networks that are known by name: their architectures, their weights, and how they want pixels.

Installers make whole models of them, training its backbones. `applications`, `lite_sizes` and
`imagenet_classes` are tables; `efficientnet_lite` and `keras_applications` need Keras.
"""
