import type { RoomProps } from "../../app";

export function ExploreRoom({ argument }: RoomProps) {
  return <h1>Explore {argument}</h1>;
}
