// The faults of a history, drawn from a seed: the same seed gives the same faults at the same times.
import { Seeded } from '../fixtures/seeded.js'
import type { Topology } from './promises.js'

/** A fault of a server, or of the way to it. */
export type StoreFault =
  | 'redis stopped' | 'redis killed' | 'redis paused' | 'clients killed' | 'scripts flushed' | 'flushed' | 'slow replies' | 'late' | 'cut'
  | 'half open' | 'refused' | 'failover' | 'primary killed' | 'planned failover'

/** A fault of an instance. */
export type InstanceFault = 'instance stopped' | 'instance killed' | 'reload' | 'clock step'

export interface PlannedFault<Kind = StoreFault | InstanceFault> {
  readonly kind: Kind
  readonly atMs: number
  readonly forMs: number
  /** The slot of the instance that it concerns; -1: all. */
  readonly slot: number
  /** A number to choose by: a version of the options, a server, a wall clock. */
  readonly choice: number
}

export interface Schedule {
  readonly store: ReadonlyArray<PlannedFault<StoreFault>>
  readonly instances: ReadonlyArray<PlannedFault<InstanceFault>>
}

/** Kinds of faults, and how long each lasts, milliseconds. */
type Kinds<Kind> = ReadonlyArray<readonly [kind: Kind, least: number, most: number]>

/** These concern the way of one instance to the server. */
const ON_PROXY: readonly StoreFault[] = ['slow replies', 'late', 'cut', 'half open', 'refused']

const STORE_FAULTS: Readonly<Record<Topology, Kinds<StoreFault>>> = {
  single: [
    ['redis stopped', 200, 1500], ['redis killed', 200, 1000], ['redis paused', 200, 1000], ['clients killed', 0, 0], ['scripts flushed', 0, 0],
    ['flushed', 0, 0], ['slow replies', 500, 1500], ['late', 300, 1200], ['cut', 0, 0], ['half open', 0, 0], ['refused', 200, 1200]
  ],
  // Pauses are shorter than the time after which a server counts as down.
  sentinel: [['failover', 0, 0], ['primary killed', 0, 0], ['redis paused', 100, 400], ['clients killed', 0, 0], ['scripts flushed', 0, 0], ['flushed', 0, 0]],
  cluster: [['planned failover', 0, 0], ['primary killed', 0, 0], ['redis paused', 100, 600], ['clients killed', 0, 0], ['scripts flushed', 0, 0], ['flushed', 0, 0]]
}

const INSTANCE_FAULTS: Kinds<InstanceFault> = [['instance stopped', 100, 2500], ['instance killed', 100, 600], ['reload', 0, 0], ['clock step', 0, 0]]

/** The first and the last seconds are quiet, so that the history shows the end of the last outage. */
const QUIET_MS = 2500

export interface ScheduleOptions {
  readonly seed: number
  readonly topology: Topology
  readonly lengthMs: number
  readonly slots: number
}

export function createSchedule ({ seed, topology, lengthMs, slots }: ScheduleOptions): Schedule {
  const drawing = { lengthMs, slots }
  return {
    store: draw(new Seeded(seed), STORE_FAULTS[topology], { ...drawing, gapMs: [1500, 4500], hasSlot: (kind) => ON_PROXY.includes(kind) }),
    instances: draw(new Seeded(seed + 1), INSTANCE_FAULTS, { ...drawing, gapMs: [300, 1800], hasSlot: () => true })
  }
}

interface Drawing<Kind> {
  readonly lengthMs: number
  readonly slots: number
  /** From the end of a fault to the next. */
  readonly gapMs: readonly [number, number]
  readonly hasSlot: (kind: Kind) => boolean
}

function draw<Kind> (random: Seeded, kinds: Kinds<Kind>, { lengthMs, slots, gapMs: [leastMs, mostMs], hasSlot }: Drawing<Kind>): Array<PlannedFault<Kind>> {
  const between = (least: number, most: number) => least + random.nextInt(most - least + 1)
  const faults: Array<PlannedFault<Kind>> = []
  // Each kind comes once before one comes again.
  let left: Array<Kinds<Kind>[number]> = []
  for (let atMs = QUIET_MS / 2 + between(leastMs, mostMs); ; atMs += between(leastMs, mostMs)) {
    if (left.length === 0) left = [...kinds]
    const [[kind, least, most]] = left.splice(random.nextInt(left.length), 1)
    const forMs = between(least, most)
    if (atMs + forMs > lengthMs - QUIET_MS) return faults
    faults.push({ kind, atMs, forMs, slot: hasSlot(kind) ? random.nextInt(slots) : -1, choice: random.nextInt(1000) })
    atMs += forMs
  }
}
