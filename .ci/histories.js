// `npm run histories` records what clients see of several instances under faults, and checks every guarantee on it.
//   --minutes N      histories of a minute each, on a single server, with Sentinel and on a Cluster in turn; one if not said
//   --seed N         the seed of the first; the next ones have the next seeds. Replays a history: the same faults, the same requests
//   --topology NAME  single, sentinel or cluster
//   --seconds N      the length of each history
//   --rate N         requests per second at most, all clients together
//   --connections N  to each instance; 8 if not said. With more, there are more decisions
//   --only NAME      only requests under this policy
//   --broken NAME    a wrong build of the package, to see that its violation is found
//   --quiet          no faults
//   --keep FOLDER    keep the files of all histories there
//   --check FILE     only check a history that was recorded
// Exits with 1 if a promise was not kept.
import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { compile, toCompiledPath } from './compile.js'

const build = spawnSync(process.execPath, ['.ci/build.js', '--if-stale'], { stdio: 'inherit' })
if (build.status !== 0) process.exit(1)
await compile()
const { runCommand } = await import(pathToFileURL(toCompiledPath('test/histories/command.ts')).href)
process.exit(await runCommand(process.argv.slice(2)))
