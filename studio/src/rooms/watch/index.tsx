import type { RoomProps } from "../../app";

export function WatchRoom({ argument }: RoomProps) {
  return <h1>Watch {argument}</h1>;
}
