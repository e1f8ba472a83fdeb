import type { Json } from '../engine/json.js';
import type { ListEntry } from '../engine/ports/list-port.js';
import { Bucket } from '../engine/statistics/bucket.js';
import type { Slice } from '../engine/statistics/statistics-store.js';
import type { PortName } from './served-ports.js';

/** An answer of a port that a message cannot carry as it is, because it contains functions or objects of a class. */
interface Codec<V, S> {
  send(value: V): S;
  receive(sent: S): V;
}

type SentEntry = Omit<ListEntry, 'args'> & { readonly args: readonly Json[] };
type SentSlice = Omit<Slice, 'bucket'> & { readonly bucket: string };

const entries: Codec<ListEntry[], SentEntry[]> = {
  send: (all) => all.map((entry) => ({ ...entry, args: entry.args() })),
  receive: (all) => all.map(({ args, ...entry }) => ({ ...entry, args: () => args })),
};

const slices: Codec<Slice[], SentSlice[]> = {
  send: (all) => all.map(({ at, bucket }) => ({ at, bucket: bucket.write() })),
  receive: (all) => all.map(({ at, bucket }) => ({ at, bucket: Bucket.read(bucket) ?? new Bucket() })),
};

const CODECS = { lists: { list: entries }, statistics: { read: slices } };

/** What a message to the child carries for the answer of a port. */
export function toSentAnswer(port: PortName, method: string, value: unknown): unknown {
  return codecOf(port, method)?.send(value) ?? value;
}

/** The answer of a port, from what the message carried. */
export function fromSentAnswer(port: PortName, method: string, sent: unknown): unknown {
  return codecOf(port, method)?.receive(sent) ?? sent;
}

function codecOf(port: PortName, method: string): Codec<unknown, unknown> | undefined {
  const codecs: Readonly<Partial<Record<PortName, Readonly<Record<string, unknown>>>>> = CODECS;
  return codecs[port]?.[method] as Codec<unknown, unknown> | undefined;
}
