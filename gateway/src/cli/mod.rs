//! The program `bridge32`: one file a command.
