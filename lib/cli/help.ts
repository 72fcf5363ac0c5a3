export const HELP = `Usage: fastify-sluice check [FILE] [--env] [--explain] [--json] [--strict]

Check a config file before it is deployed, and show the policies that it makes.
Without FILE it is the one that RATE_LIMIT_CONFIG names.

  --env          lay the RATE_LIMIT_ variables of this environment over the file
  --explain      show where each option is from, in place of the table
  --json         print { ok, mistakes, warnings, policies } and nothing else
  --strict       let warnings fail too
  -h, --help     show this text
  -v, --version  show the version

What the code gives to register is not known here: where the file says nothing,
the built-in defaults stand in for it, and a rule without "match" is taken for
one that the code has made. Mistakes and warnings go to standard error.

Exit status: 0 the file is good, 1 it is not, 2 wrong usage.
`
