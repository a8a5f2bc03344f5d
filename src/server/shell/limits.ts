/** What one connection may take at most, before a model has anything to do with it. */

export interface ListenerLimits {
  /** Connections at once; more are closed as they come. */
  readonly connections: number;
  /** Bytes of a request's line and headers. */
  readonly headerBytes: number;
  /** Seconds until the headers have come, from the first byte or from the start of the connection. */
  readonly headerSeconds: number;
  /** Seconds until the body has come, headers included. */
  readonly bodySeconds: number;
  /** Seconds that a connection stays open between requests. */
  readonly keepAliveSeconds: number;
  /** Seconds that a reader may leave bytes unread. */
  readonly idleSeconds: number;
  /** Requests of one connection that wait for the answer to the one before (pipelining). */
  readonly pipelined: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  connections: 1024,
  headerBytes: 16 * 1024,
  headerSeconds: 10,
  bodySeconds: 60,
  keepAliveSeconds: 10,
  idleSeconds: 60,
  pipelined: 16,
};
