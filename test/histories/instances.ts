// The instances of a history: processes that are stopped, killed, reloaded, and started again.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { sleep } from '../fixtures/until.js'
import type { NodeCommand, NodeMessage, NodeSetup } from './node.js'
import { RELOADED } from './policies.js'
import type { InstanceFault, PlannedFault } from './schedule.js'

/** An instance that serves now. */
export interface Instance {
  /** Of all that were started; by the number of slots, the slot. */
  readonly number: number
  readonly port: number
  readonly process: ChildProcess
}

/** The wall clocks of the instances: as they are, hours ahead, hours behind, and a day ahead. */
const CLOCKS_AHEAD_MS = [0, 3 * 3_600_000, -5 * 3_600_000, 26 * 3_600_000]

export interface InstancesOptions {
  readonly slots: number
  readonly setupOf: (slot: number) => Omit<NodeSetup, 'wallClockAheadMs'>
  /** Called with each time in which a process did not run, by the clock of the machine. */
  readonly onStall: (slot: number, fromUs: number, untilUs: number) => void
}

export class Instances {
  readonly #options: InstancesOptions
  readonly #serving: Array<Instance | null>
  #isEnding = false

  private constructor (options: InstancesOptions) {
    this.#options = options
    this.#serving = Array.from({ length: options.slots }, () => null)
  }

  static async start (t: Pick<Test, 'teardown'>, options: InstancesOptions): Promise<Instances> {
    const instances = new Instances(options)
    t.teardown(async () => { await instances.#end() })
    await Promise.all(instances.#serving.map(async (_, slot) => { await instances.#start(slot, slot) }))
    return instances
  }

  /** The instance of a slot; `null` while it is down. */
  at (slot: number): Instance | null {
    return this.#serving[slot]
  }

  async inject ({ kind, slot, forMs, choice }: PlannedFault<InstanceFault>): Promise<void> {
    const instance = this.#serving[slot]
    if (instance === null) return
    const { process: child, number } = instance
    switch (kind) {
      case 'instance stopped':
        child.kill('SIGSTOP')
        await sleep(forMs)
        child.kill('SIGCONT')
        break
      case 'instance killed': {
        this.#serving[slot] = null
        const exit = once(child, 'exit')
        child.kill('SIGKILL')
        await exit
        await sleep(forMs)
        await this.#start(slot, number + this.#options.slots)
        break
      }
      case 'reload':
        await this.#command(child, { do: 'reload', version: choice % RELOADED.length })
        break
      case 'clock step':
        await this.#command(child, { do: 'step the clock', aheadMs: (choice - 500) * 60_000 })
        break
      default: kind satisfies never
    }
  }

  async #start (slot: number, number: number): Promise<void> {
    const setup: NodeSetup = { ...this.#options.setupOf(slot), wallClockAheadMs: CLOCKS_AHEAD_MS[slot % CLOCKS_AHEAD_MS.length] }
    const child = fork(fileURLToPath(new URL('./node.js', import.meta.url)), {
      execArgv: ['--no-warnings'],
      env: { ...process.env, NODE_OPTIONS: '', HISTORY_NODE: JSON.stringify(setup) }
    })
    child.on('message', (message: NodeMessage) => {
      if ('stalledFromUs' in message) this.#options.onStall(slot, message.stalledFromUs, message.stalledUntilUs)
    })
    child.once('exit', () => {
      if (this.#serving[slot]?.number === number && !this.#isEnding) throw new Error(`instance ${number} ended by itself`)
    })
    const port = await new Promise<number>((resolve, reject) => {
      child.on('message', (message: NodeMessage) => { if ('port' in message) resolve(message.port) })
      child.once('exit', () => { reject(new Error(`instance ${number} did not start`)) })
    })
    this.#serving[slot] = { number, port, process: child }
  }

  async #command (child: ChildProcess, command: NodeCommand): Promise<void> {
    const done = new Promise<void>((resolve) => {
      const listen = (message: NodeMessage) => { if ('done' in message) finish() }
      const finish = () => {
        child.off('message', listen).off('exit', finish)
        resolve()
      }
      child.on('message', listen).once('exit', finish)
    })
    child.send(command)
    await done
  }

  async #end (): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.#serving.map(async (instance) => {
      if (instance === null) return
      const exit = once(instance.process, 'exit')
      instance.process.kill('SIGKILL')
      await exit
    }))
  }
}
