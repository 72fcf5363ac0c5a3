// npm run demo:autoload  an application as fastify-cli makes it, started by `fastify start`; ends by itself, with exit
//                        code 0 only if each limit held where it belongs
// npx fastify start -l info examples/autoload/app.js  the application alone
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { formatColumns } from '../shared/columns.js'
import { freePort } from '../shared/redis-server.js'
import { rows, send } from './load.js'

const STARTED_WITHIN_MS = 30_000

const fastify = createRequire(import.meta.url).resolve('fastify-cli/cli.js')
const port = String(await freePort())
const server = spawn(process.execPath, [
  fastify, 'start', '--address', '127.0.0.1', '--port', port, '--log-level', 'info', fileURLToPath(new URL('app.js', import.meta.url))
], { stdio: ['ignore', 'pipe', 'inherit'] })
process.once('exit', () => { server.kill() })
const exit = once(server, 'exit')

// Its log is JSON, a line for each message.
const lines = createInterface({ input: server.stdout })
const listening = new Promise((resolve) => lines.on('line', (line) => { if (line.includes('Server listening at')) resolve(null) }))
await Promise.race([
  listening,
  exit.then(([code]) => { throw new Error(`fastify start ended with code ${code}`) }),
  new Promise((_resolve, reject) => { setTimeout(reject, STARTED_WITHIN_MS, new Error('fastify start takes too long')).unref() })
])

const outcomes = []
for (const row of rows) outcomes.push({ ...row, ...await send(`http://127.0.0.1:${port}`, row) })
server.kill()
await exit

console.log(`fastify start examples/autoload/app.js, requests a minute:

${formatColumns([
  ['request', 'limit', 'sent', 'allowed', 'refused'],
  ...outcomes.map(({ path, promise, sent, allowed, refused }) => [`GET ${path}`, promise, ...[sent, allowed, refused].map(String)])
])}`)

const broken = outcomes.flatMap((outcome) => outcome.broken)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
