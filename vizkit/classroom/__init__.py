"""What lessons use: pictures to train on, training, and exercises that check themselves."""
