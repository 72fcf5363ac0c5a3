// A call of a script as it is written to a connection.
import t from 'tap'
import type { Redis } from 'ioredis'
import { createCommand, createEvalsha, EvalshaCommand } from '../../../lib/stores/redis/evalsha-command.js'

const script = { lua: 'return 1', sha: 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db' }
const KEYS = ['sluice:{user:42}:a', 'größe→{user:42}:b']
const ARGS = [Buffer.from([0, 255, 13, 10]), Buffer.alloc(0)]
const clientWith = (keyPrefix?: string) => ({ options: { keyPrefix } }) as unknown as Redis

/** Written piece by piece, as the protocol of Redis has it. */
function writeParts (parts: ReadonlyArray<string | Buffer>): Buffer {
  const written = parts.flatMap((part) => {
    const bytes = Buffer.from(part as string)
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]
  })
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...written])
}

t.test('a call is one buffer in the protocol of Redis', async (t) => {
  const command = createEvalsha(clientWith(), script, KEYS, ARGS)
  t.ok(command instanceof EvalshaCommand)
  t.strictSame(command.toWritable({} as never), writeParts(['EVALSHA', script.sha, '2', ...KEYS, ...ARGS]))
  t.strictSame(createEvalsha(clientWith(''), script, KEYS.slice(1), []).toWritable({} as never), writeParts(['EVALSHA', script.sha, '1', KEYS[1]]))
  t.strictSame(command.getKeys(), KEYS)
  t.strictSame([command.name, command.args], ['evalsha', [script.sha, '1', KEYS[0]]], 'what ioredis shows in errors')
})

t.test('a client that puts a prefix before every key puts it before ours', async (t) => {
  const command = createEvalsha(clientWith('shop:'), script, KEYS, ARGS)
  t.notOk(command instanceof EvalshaCommand)
  t.strictSame(command.args, [script.sha, '2', ...KEYS.map((key) => `shop:${key}`), ...ARGS])
})

t.test('replies are bytes, of every command', async (t) => {
  for (const command of [createCommand(clientWith('shop:'), 'get', ['a']), createEvalsha(clientWith(), script, KEYS, ARGS)]) {
    command.resolve(Buffer.from([255, 0]))
    t.strictSame(await command.promise, Buffer.from([255, 0]))
  }
  t.strictSame(createCommand(clientWith('shop:'), 'get', ['a']).args, ['shop:a'])
})
