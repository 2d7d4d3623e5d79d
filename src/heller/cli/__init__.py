"""The command line: ``heller NOUN VERB``. Data on stdout, talk on stderr."""
