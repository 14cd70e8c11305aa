// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

// USDC as the tests need it: six decimals, anyone may mint, two transfers in one transaction.
contract TestUsdc is ERC20 {
    constructor() ERC20("USD Coin", "USDC") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function transferTwice(address to, uint256 a, uint256 b) external {
        _transfer(msg.sender, to, a);
        _transfer(msg.sender, to, b);
    }
}
