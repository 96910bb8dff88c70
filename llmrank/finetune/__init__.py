"""Fine-tuning: training data without futures, LoRA adapters of a small model, and files for other trainers."""
