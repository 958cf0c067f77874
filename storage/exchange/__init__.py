"""The exchange's rows that move money: what activities ask for, each method one transaction."""
