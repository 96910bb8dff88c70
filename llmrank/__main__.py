"""`python -m llmrank` is `llmrank`."""

from llmrank.cli import main

if __name__ == "__main__":
    main()
