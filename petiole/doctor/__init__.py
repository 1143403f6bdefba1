"""What `petiole doctor` looks at: each module looks at one side, and yields what it found."""
