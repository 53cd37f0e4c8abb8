/** What one run has cost its upstream. Sources add to it as they go. */
export interface UpstreamUsage {
  requests: number;
  bytes: number;
}
