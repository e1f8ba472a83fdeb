/** One of the servers, or of the hash tags of a Redis Cluster, over which an engine spreads its queues. */
export interface Shard {
  readonly name: string;
  /** See `DiagnosisPort.ping`. */
  ping(): Promise<void>;
}

/** The shards of a store. An engine without shards is the one shard `default`. */
export interface ShardPort {
  /** All shards, the default one first. */
  readonly shards: readonly Shard[];
  /**
   * The names of the shards that could not be reached when this process last asked them. Answers about all queues do without
   * them, as long as another shard answers.
   */
  missingShards(): readonly string[];
}
