// npm run demo:graphql  queries that cost what they ask for, charged before any resolver runs; ends by itself, with exit
//                       code 0 only if every query cost what it should
import { formatColumns } from '../shared/columns.js'
import { ask, queries } from './queries.js'
import { budget, buildServer } from './server.js'

const { app, resolved } = await buildServer()
const origin = await app.listen({ port: 0, host: '127.0.0.1' })
const outcomes = []
let left = budget
for (const query of queries) {
  const outcome = await ask(origin, query, resolved, left)
  outcomes.push(outcome)
  left = outcome.left
}
await app.close()

console.log(`/graphql, ${budget} units a minute; an object costs 1, and a list as many as it has:\n`)
console.log(formatColumns([
  ['query', 'status', 'cost', 'left', 'calls of resolvers'],
  ...outcomes.map(({ asked, status, left, calls }) => [asked.query, ...[status, asked.cost, left, calls].map(String)])
]))
for (const { problem } of outcomes) if (problem !== null) console.log(`\n${problem.status}: ${problem.detail}`)

const broken = outcomes.flatMap((outcome) => outcome.broken)
for (const line of broken) console.error(`\nNot as promised: ${line}`)
process.exitCode = broken.length > 0 ? 1 : 0
