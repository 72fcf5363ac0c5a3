import type { Command, Redis } from 'ioredis'

/** Checks of waiting calls within one deadline. */
const CHECKS = 5
/** The call guard may expire a call up to two checks later. Only then is it too late to send the call. */
const MAX_CHECKS = CHECKS + 2

/** Commands that change buckets, and the command before one to a node that a slot is being moved to. */
const TIMED_COMMANDS = ['evalsha', 'eval', 'asking']

/**
 * Rejects calls that wait too long for a connection to a Cluster node. ioredis queues them until the node is connected,
 * without a limit, and its option against that has no effect on these connections. Such a call would be charged long
 * after it expired. Time is counted in checks that run after the loop has read: a blocked loop makes no call late.
 */
export class ClusterCommandTimeout {
  readonly #checks = new Map<Command, number>()
  readonly #checkIntervalMs: number
  #timer: NodeJS.Timeout | null = null

  /** `deadlineMs`: how long a call may take, 1 or more; 0 for no limit. */
  constructor (deadlineMs: number) {
    this.#checkIntervalMs = Math.ceil(deadlineMs / CHECKS)
  }

  /** Wrap the method that ioredis uses to send to a node, for new commands and for those in its queue. */
  attach (node: Redis): void {
    const send = node.sendCommand.bind(node)
    node.sendCommand = (command, stream) => {
      // ioredis ignores this promise: if the node dies now, the unhandled rejection would end the process.
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
