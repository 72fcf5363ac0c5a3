import type { Command, Redis } from 'ioredis'

/** How often within the deadline the calls that wait for a node are looked at. */
const CHECKS = 5
/** Their own watch gives them up after up to two looks more, and only then is it too late to send them. */
const MAX_CHECKS = CHECKS + 2

/** Calls that change buckets, and what precedes one to a node that a slot is being moved to. */
const TIMED_COMMANDS = ['evalsha', 'eval', 'asking']

/**
 * Calls to a node of a Cluster that is still being connected. ioredis keeps them until it is, however long that takes,
 * and its option against that does not reach these connections: a call would be charged long after it was given up.
 * Time is counted in looks that come after the loop has read: what a blocked loop kept waiting is not late.
 */
export class ClusterCommandTimeout {
  readonly #checks = new Map<Command, number>()
  readonly #checkIntervalMs: number
  #timer: NodeJS.Timeout | null = null

  /** `deadlineMs`: how long a call may take, 1 or more; 0 where nothing is too late. */
  constructor (deadlineMs: number) {
    this.#checkIntervalMs = Math.ceil(deadlineMs / CHECKS)
  }

  /** Stand where ioredis sends to a node, first or from its own queue. */
  attach (node: Redis): void {
    const send = node.sendCommand.bind(node)
    node.sendCommand = (command, stream) => {
      // ioredis drops the answer: a node that dies just then would end the process.
      if (command.name === 'asking') command.promise.catch(() => {})
      this.#checks.delete(command)
      if (command.isSettled) return command.promise
      const isQueued = node.status !== 'ready' && TIMED_COMMANDS.includes(command.name.toLowerCase())
      const answer = send(command, stream)
      if (isQueued && this.#checkIntervalMs > 0 && !command.isSettled) this.#track(command)
      return answer
    }
  }

  #track (command: Command): void {
    this.#checks.set(command, 0)
    this.#timer ??= setInterval(() => { setImmediate(() => { this.#check() }) }, this.#checkIntervalMs).unref()
  }

  #check (): void {
    for (const [command, checks] of this.#checks) {
      if (command.isSettled) {
        this.#checks.delete(command)
      } else if (checks < MAX_CHECKS) {
        this.#checks.set(command, checks + 1)
      } else {
        this.#checks.delete(command)
        command.reject(new Error('the node was not connected in time'))
      }
    }
    if (this.#checks.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
