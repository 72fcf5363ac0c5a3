import { Command, type Cluster, type Redis } from 'ioredis'
import type { Script } from './scripts.js'

/**
 * A call of a script by its hash, written as one buffer. A batch has a dozen keys and binary arguments. ioredis would
 * create three pieces of each and join them again. That took as long as the rest of its work for the call.
 */
export class EvalshaCommand extends Command {
  readonly #script: Script
  readonly #keys: readonly string[]
  readonly #args: readonly Buffer[]

  /** `keys`: 1 or more, on a Cluster of one slot. */
  constructor (script: Script, keys: readonly string[], args: readonly Buffer[]) {
    // These arguments are only shown by ioredis in errors and traces.
    super('evalsha', [script.sha, '1', keys[0]], { replyEncoding: null })
    this.#script = script
    this.#keys = keys
    this.#args = args
  }

  /** On a Cluster the first key selects the node. ioredis would search the arguments of every call for keys. */
  override getKeys (): string[] {
    return [...this.#keys]
  }

  /** Write the call in the Redis protocol. On a Cluster it may be called again, for the next node. */
  override toWritable (): Buffer {
    const count = String(this.#keys.length)
    const { sha } = this.#script
    let head = `*${3 + this.#keys.length + this.#args.length}\r\n$7\r\nEVALSHA\r\n`
    head += `$${sha.length}\r\n${sha}\r\n$${count.length}\r\n${count}\r\n`
    for (const key of this.#keys) head += `$${Buffer.byteLength(key)}\r\n${key}\r\n`
    let size = Buffer.byteLength(head)
    const headers = this.#args.map((arg) => `$${arg.length}\r\n`)
    this.#args.forEach((arg, index) => { size += headers[index].length + arg.length + 2 })
    // Every byte is written below.
    const packet = Buffer.allocUnsafe(size)
    let at = packet.write(head, 0)
    this.#args.forEach((arg, index) => {
      at += packet.write(headers[index], at, 'latin1')
      at += arg.copy(packet, at)
      at += packet.write('\r\n', at, 'latin1')
    })
    return packet
  }
}

export function createEvalsha (client: Redis | Cluster, script: Script, keys: readonly string[], args: readonly Buffer[]): Command {
  // The key prefix of a client is applied only by the command writer of ioredis.
  if (!client.options.keyPrefix) return new EvalshaCommand(script, keys, args)
  return createCommand(client, 'evalsha', [script.sha, String(keys.length), ...keys, ...args])
}

/**
 * A command for `sendCommand`, the only method that no option of a client changes. With `enableAutoPipelining`, `call`
 * and `callBuffer` lose the name of the command: they throw in a timer, and the client never replies again.
 */
export function createCommand (client: Redis | Cluster, name: string, args: ReadonlyArray<string | Buffer>): Command {
  return new Command(name, [...args], { keyPrefix: client.options.keyPrefix, replyEncoding: null })
}
