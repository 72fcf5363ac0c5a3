// npm run demo:login  a login that counts failures only, blocks who goes on, and stays shut while Redis is away; ends by
//                     itself, with exit code 0 only if all of it was so
import { Accounts } from './accounts.js'
import { afterReset, beforeReset, send, withoutRedis } from './attempts.js'
import { buildServer } from './server.js'
import { formatTable } from './table.js'

// Nothing listens there.
const UNREACHABLE = 'redis://127.0.0.1:1'

const accounts = new Accounts()
await accounts.add('ada', 'right')
await accounts.add('bob', 'right')

const app = await buildServer(accounts)
const origin = await app.listen({ port: 0, host: '127.0.0.1' })
const outcomes = []
for (const attempt of beforeReset) outcomes.push(await send(origin, attempt, accounts))
// What an operator does for ada: her limits, her strikes and her block.
await app.rateLimit.reset('key:ada')
for (const attempt of afterReset) outcomes.push(await send(origin, attempt, accounts))
await app.close()

const shut = await buildServer(accounts, { redis: UNREACHABLE })
const shutOrigin = await shut.listen({ port: 0, host: '127.0.0.1' })
for (const attempt of withoutRedis) outcomes.push(await send(shutOrigin, attempt, accounts))
await shut.close()

console.log(`POST /login, at most 5 failures in 15 minutes for each account:\n\n${formatTable(outcomes)}`)

const broken = outcomes.flatMap((outcome) => outcome.broken)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
