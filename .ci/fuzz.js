// `npm run fuzz` gives hostile bytes to everything that reads bytes from outside: test/fuzz/targets.ts.
//   --minutes N    how long; one minute if not said
//   --target NAME  only this one
//   --seed N       one round with this seed, which repeats what failed
// Prints the seed and the smallest input of a failure, as an entry of the corpus. Exits with 1 then.
import { pathToFileURL } from 'node:url'
import { compile, toCompiledPath } from './compile.js'

await compile()
const { runCommand } = await import(pathToFileURL(toCompiledPath('test/fuzz/command.ts')).href)
process.exit(await runCommand(process.argv.slice(2)))
